"""What is checked of a request before it becomes a WebSocket."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from flask import Request

from app.errors import ForeignOriginError, MalformedError
from app.websocket.peer import Peer

_VERSION: Final = "13"


def admit(request: Request) -> None:
    """Refuse what may not or cannot be a WebSocket, and prepare the socket of what can.

    Browsers let any page open a WebSocket to any host and send its Origin along, so the server is
    the one to refuse (RFC 6455 section 10.2). Programs that are no browsers send none.
    """
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc.lower() != request.host.lower():
        raise ForeignOriginError("A browser may connect for pages of this host only.")
    key = request.headers.get("Sec-WebSocket-Key")
    if key is None or request.headers.get("Sec-WebSocket-Version") != _VERSION:
        raise MalformedError(f"This is not a handshake of WebSocket version {_VERSION}.")
    environ = request.environ
    # Compression would cost each connection a third of a megabyte, and let a few bytes of input
    # become many.
    environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
    environ["gunicorn.socket"] = Peer(environ["gunicorn.socket"])
