"""The faces that every scenario is told through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.contract.client_face import Client
from tests.contract.faces import Http, WebSocket
from tests.contract.websocket_server import Server

FACES: Final = (Http.name, WebSocket.name, Client.name)


def each_face(server: Server, name: str, **headers: str) -> Iterator[Http]:
    """Give the face of this name, and leave no connection of it."""
    if name == Http.name:
        yield Http(server, **headers)
        return
    face = WebSocket(server, **headers) if name == WebSocket.name else Client(server, **headers)
    try:
        yield face
    finally:
        face.close()
