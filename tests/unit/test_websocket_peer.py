"""The socket under a WebSocket: whole frames or none, and no reading ahead of the work."""

import socket
import threading
from collections.abc import Iterator

import pytest

from app.websocket.peer import Peer

pytestmark = pytest.mark.unit

WITHIN = 10


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(WITHIN)
        yield ours, theirs


def received(sock: socket.socket) -> bytes:
    """Return all that came until the end."""
    parts = []
    while part := sock.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def test_frames_of_several_writers_are_never_mixed(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    peer = Peer(ours)
    frames = [bytes([number]) * 500_000 for number in range(4)]

    writers = [threading.Thread(target=peer.send, args=(frame,)) for frame in frames]
    for writer in writers:
        writer.start()
    data = b"".join(_exactly(theirs, 500_000) for _ in frames)
    for writer in writers:
        writer.join(WITHIN)

    assert sorted(data[start : start + 500_000] for start in range(0, 2_000_000, 500_000)) == frames


def test_a_reader_that_does_not_read_ends_the_connection(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    peer = Peer(ours, send_seconds=0.05)

    with pytest.raises(TimeoutError):
        peer.send(b"x" * 10_000_000)

    with pytest.raises(OSError):  # noqa: PT011 - whichever: nothing can follow half a frame
        peer.send(b"y")
    assert b"y" not in received(theirs)


def test_nothing_is_read_while_there_is_no_room(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    peer = Peer(ours)
    room = threading.Event()
    asked = threading.Event()

    def has_room() -> bool:
        asked.set()
        return room.is_set()

    peer.read_while(has_room)
    theirs.sendall(b"frame")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(peer.recv(100)))
    reader.start()
    assert asked.wait(WITHIN)
    assert read == []

    room.set()
    peer.made_room()

    reader.join(WITHIN)
    assert read == [b"frame"]


def test_releasing_waits_for_the_client_and_wakes_a_reader_that_hears_nothing(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    peer = Peer(ours)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(peer.recv(100)))
    reader.start()
    peer.send(b"goodbye")

    leaving = threading.Thread(target=peer.release, args=(reader,))
    leaving.start()

    assert received(theirs) == b"goodbye"
    theirs.close()
    leaving.join(WITHIN)
    assert not leaving.is_alive()
    assert read == [b""]


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += sock.recv(size - len(data))
    return data
