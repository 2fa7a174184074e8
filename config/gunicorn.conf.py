"""How gunicorn serves the application: `gunicorn -c config/gunicorn.conf.py`, the web process."""

import contextlib
import logging
import os
import shutil
import signal
import socket
import weakref
from pathlib import Path
from types import FrameType
from typing import Any

import gevent

from config import logging as station_logging
from config.lifeline import die_with_parent
from config.settings import load_settings

_settings = load_settings()
# In memory where there is a place for files in memory: they are mapped, and whoever writes to what
# is mapped from a full disk is ended by SIGBUS.
_memory = Path("/dev/shm")  # noqa: S108 - the name below is of a folder that nobody else can enter
_metrics_parent = _memory if os.access(_memory, os.W_OK) else _settings.data_dir
_METRICS = "waystation-metrics-"
_metrics_dir = _metrics_parent / f"{_METRICS}{os.getpid()}"
# prometheus_client reads this name when it is first imported, and has no other way in: nothing may
# import it before this line, here or in a worker.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_metrics_dir)

_host = f"[{_settings.api_host}]" if ":" in _settings.api_host else _settings.api_host
bind = f"{_host}:{_settings.api_port}"
workers = _settings.web_workers
worker_class = "gevent"
worker_connections = 4096  # each WebSocket and each long poll holds one

# A worker that doesn't answer its master for this long is replaced. Stopping waits for answers
# under way, in less time than the station gives the whole process.
timeout = 30
graceful_timeout = 10
keepalive = 75  # longer than the idle timeout of usual proxies, so that they close first

control_socket_disable = True  # its default path is one per user, and two stations would share it
errorlog = "-"
accesslog = None


def on_starting(server: Any) -> None:  # noqa: ANN401 - gunicorn publishes no types
    """Log like every other process, and forget the metrics of workers that are gone."""
    server.log.error_log.handlers.clear()
    server.log.error_log.propagate = True
    server.log.error_log.addFilter(_without_alarm)
    logging.getLogger("gunicorn.access").propagate = False
    station_logging.configure(process="web", fmt=_settings.log_format, level=_settings.log_level)
    for left in _metrics_parent.glob(f"{_METRICS}*"):
        if not Path(f"/proc/{left.name.removeprefix(_METRICS)}").exists():
            shutil.rmtree(left, ignore_errors=True)
    shutil.rmtree(_metrics_dir, ignore_errors=True)
    _metrics_dir.mkdir(mode=0o700, parents=True)


def _without_alarm(record: logging.LogRecord) -> bool:
    """Tell of a client that did not read in time as what it is: nothing of ours went wrong."""
    if record.exc_info and isinstance(record.exc_info[1], TimeoutError):
        record.msg, record.args = "A client did not take its answer in time.", ()
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.exc_info = None
    return True


def on_exit(server: Any) -> None:  # noqa: ANN401, ARG001
    """Leave no metrics behind."""
    shutil.rmtree(_metrics_dir, ignore_errors=True)


def post_fork(server: Any, worker: Any) -> None:  # noqa: ANN401, ARG001
    """Let no worker outlive a master that was killed: it would keep the port."""
    die_with_parent(parent_pid=server.pid)


def child_exit(server: Any, worker: Any) -> None:  # noqa: ANN401, ARG001
    """Drop the live gauges of a worker that ended."""
    from prometheus_client import multiprocess  # noqa: PLC0415 - see the top

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def post_worker_init(worker: Any) -> None:  # noqa: ANN401
    """Tell the application when its worker stops: WebSockets and long polls would go on."""
    context = worker.wsgi.extensions["waystation"]

    def stop(number: int, frame: FrameType | None) -> None:
        # It takes locks, which a handler that interrupts the event loop may not wait for.
        gevent.spawn(context.stop)
        gevent.spawn(_close_idle)
        worker.handle_exit(number, frame)

    signal.signal(signal.SIGTERM, stop)


# Connections between two requests. A worker that stops waits for every connection, and a client
# that keeps one open would make it wait until it is killed.
_idle: weakref.WeakSet[socket.socket] = weakref.WeakSet()


def pre_request(worker: Any, req: Any) -> None:  # noqa: ANN401, ARG001
    """Note that a connection is in use."""
    _idle.discard(req.unreader.sock)


def post_request(worker: Any, req: Any, environ: Any, resp: Any) -> None:  # noqa: ANN401, ARG001
    """Note that a connection was answered; while the worker stops, it gets no further request."""
    _idle.add(req.unreader.sock)
    if not worker.alive:
        _close_idle()


def _close_idle() -> None:
    for connection in list(_idle):
        # Its reader finds the end of the stream; on the socket itself, gevent would raise there.
        with contextlib.suppress(OSError), connection.dup() as twin:  # it may have just ended
            twin.shutdown(socket.SHUT_RD)
