"""The client reads a stream of server-sent events as their standard has them."""

import itertools

import pytest

from waystation.errors import UnexpectedAnswerError
from waystation.server_sent_events import Frame, Parser

pytestmark = pytest.mark.unit

STREAM = (
    b'retry: 2000\nid: 1\n\nid: 2\ndata: {"a":1}\n\n'
    b": a comment\nid: 3\n\ndata: x\r\ndata: y\r\n\r\n"
)
FRAMES = [
    Frame(id="1", data=b""),
    Frame(id="2", data=b'{"a":1}'),
    Frame(id="3", data=b""),
    Frame(id="3", data=b"x\ny"),
]


@pytest.mark.parametrize("size", [1, 2, 7, len(STREAM)])
def test_frames_are_the_same_however_they_come(size: int) -> None:
    parser = Parser()
    chunks = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]

    assert [frame for chunk in chunks for frame in parser.feed(chunk)] == FRAMES


def test_the_id_of_an_unfinished_event_is_no_place_to_go_on_from() -> None:
    parser = Parser()

    frames = list(parser.feed(b"id: 1\ndata: a\n\nid: 2\ndata: b\n"))

    assert [one.id for one in frames] == ["1"]
    assert parser.last_id == "1"


@pytest.mark.parametrize("chunk", [b"x" * 100_000, b"data: " + b"x" * 100_000 + b"\n"])
def test_an_event_without_end_is_not_kept(chunk: bytes) -> None:
    parser = Parser()

    frames = itertools.chain.from_iterable(parser.feed(chunk) for _ in range(20))

    with pytest.raises(UnexpectedAnswerError):
        next(frames)
