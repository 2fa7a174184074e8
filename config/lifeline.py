"""Ties a process's life to its parent's, so that kill -9 of a parent leaves nothing running."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(*, parent_pid: int) -> None:
    """Ask the kernel to kill this process when its parent ends; it outlives exec, but not fork.

    Linux only: elsewhere nothing happens, and a parent's kill -9 leaves its children running.

    Args:
        parent_pid: the parent as it was when this process was planned. If it is gone already,
            this process ends here.
    """
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    if os.getppid() != parent_pid:  # it ended before the kernel had our wish
        os.kill(os.getpid(), signal.SIGKILL)
