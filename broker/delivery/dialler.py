"""Opening connections to hosts that others name: to checked addresses, and within a time.

A name is looked up once a connection, and the connection goes to one of the addresses that were
checked: a name that changes between check and use (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from broker.delivery.addresses import refusal

Resolve = Callable[[str, int], Sequence[str]]
"""All addresses of a host; raises `OSError` if there are none."""

_ADDRESSES_TRIED: Final = 4


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host, by the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class RefusedAddressError(Exception):
    """A name stands for an address to which the station does not connect."""


class AddressBook:
    """Looks names up, and refuses those that stand for an address out of bounds."""

    def __init__(self, *, allow_private: bool, resolve: Resolve = resolve) -> None:
        self._allow_private = allow_private
        self._resolve = resolve

    def addresses(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a host, one refused address refusing them all.

        Raises `RefusedAddressError`; `OSError` if it has none.
        """
        found = self._resolve(host, port)
        for address in found:
            why = refusal(address, allow_private=self._allow_private)
            if why is not None:
                raise RefusedAddressError(
                    f"{host} is not connected to: {why}"
                    if address == host
                    else f"{host} is not connected to: it stands for {why}"
                )
        return found


class Dialler:
    """Opens the connection to an endpoint, and cuts it when its time is up.

    A time limit of a socket starts anew with each byte; an endpoint that sends one a second can
    only be stopped from outside.
    """

    def __init__(self, book: AddressBook) -> None:
        self._book = book
        self._ends_at = 0.0
        self._line: socket.socket | None = None
        self._lock = threading.Lock()
        self.was_cut = False

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Cut the connection if what is done meanwhile takes longer."""
        self._ends_at = ends_at = time.monotonic() + seconds
        self.was_cut = False
        timer = threading.Timer(seconds, self._cut, (ends_at,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def dial(self, host: str, port: int) -> socket.socket:
        """A connection to one of the host's addresses. Raises as `addresses` does."""
        error: OSError = TimeoutError()
        for address in self._book.addresses(host, port)[:_ADDRESSES_TRIED]:
            left = self._ends_at - time.monotonic()
            if left <= 0:
                raise TimeoutError
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.settimeout(left)
                sock.connect((address, port))
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as refused:
                sock.close()
                error = refused
            else:
                # TLS takes the socket itself over; its twin ends the same connection.
                self._remember(sock.dup())
                return sock
        raise error

    def close(self) -> None:
        """Let go of the connection."""
        self._remember(None)

    def _remember(self, line: socket.socket | None) -> None:
        with self._lock:
            if self._line is not None:
                self._line.close()
            self._line = line

    def _cut(self, ends_at: float) -> None:
        with self._lock:
            if ends_at != self._ends_at:
                return  # it came too late to be called off, and the next one has begun
            self.was_cut = True
            if self._line is not None:
                try:
                    self._line.shutdown(socket.SHUT_RDWR)
                except OSError:
                    self._line.close()  # the other side was faster
