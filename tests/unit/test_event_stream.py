"""What one watcher's stream says, and when it ends."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from app.event_stream import EventStream, bound_writing
from app.standing import Standing
from broker.kernel.errors import StorageUnavailableError, UnauthenticatedError
from broker.kernel.ids import AgentId
from broker.operations.recent_events import Gap, Told
from broker.operations.timeline import Event, Item, Position
from broker.operations.watch import Watch
from broker.security.principal import ANYONE, Principal

pytestmark = pytest.mark.unit

ALICE = Principal(name="alice", agents=frozenset({AgentId("alice")}))
EVENT = Event(
    position=Position(1_795_210_606_077, 2, 7),
    name="agent.registered",
    items=(Item(agent_id=AgentId("bob")),),
)


class Script:
    """A watch that gives what it was told to, step by step, and then is over."""

    def __init__(self, *steps: list[Told] | Exception) -> None:
        self.position = Position(5, 0)
        self.is_closed = False
        self._steps = list(steps)

    @property
    def is_over(self) -> bool:
        return not self._steps

    def take(self, *_: object) -> list[Told]:
        step = self._steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


@contextmanager
def watching(script: Script) -> Iterator[Watch]:
    yield script  # type: ignore[misc] # it stands in for one
    script.is_closed = True


def stream(
    script: Script,
    prove: Callable[[], Principal] = lambda: ALICE,
    stop: threading.Event | None = None,
) -> EventStream:
    standing = Standing(None, ALICE, prove)
    return EventStream(watching(script), standing, stop or threading.Event())


def raising(error: Exception) -> Callable[[], Principal]:
    def prove() -> Principal:
        raise error

    return prove


def test_each_event_has_its_id_and_a_gap_has_none() -> None:
    said = list(stream(Script([Gap(behind=Position(4, 0, 1)), EVENT])))

    assert said == [
        b"retry: 2000\nid: 5-0\n\n",
        (
            b'data: {"event":"gap","after":"4-0-1"}\n\n'
            b"id: 1795210606077-2-7\n"
            b'data: {"event":"agent.registered","at":"2026-11-20T21:36:46.077Z",'
            b'"items":[{"agent_id":"bob"}]}\n\n'
        ),
    ]


def test_a_heartbeat_says_how_far_the_watcher_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.event_stream._HEARTBEAT_SECONDS", 0.0)

    said = list(stream(Script([])))

    assert said[1:] == [b": still here\nid: 5-0\n\n"]


def test_nothing_is_said_where_nothing_is_due() -> None:
    assert len(list(stream(Script([], [], [])))) == 1


@pytest.mark.parametrize(
    "prove", [raising(UnauthenticatedError("revoked")), lambda: ANYONE], ids=["revoked", "changed"]
)
def test_who_may_no_longer_see_what_it_saw_is_told_no_more(
    monkeypatch: pytest.MonkeyPatch, prove: Callable[[], Principal]
) -> None:
    monkeypatch.setattr("app.event_stream._PROOF_SECONDS", 0.0)

    assert len(list(stream(Script([EVENT]), prove))) == 1


def test_a_watcher_goes_on_while_nobody_can_say_who_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.event_stream._PROOF_SECONDS", 0.0)

    assert len(list(stream(Script([EVENT]), raising(StorageUnavailableError("away"))))) == 2


def test_the_end_of_a_token_is_the_end_of_its_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.event_stream._PROOF_SECONDS", 0.0)
    ended = Principal(name="alice", agents=ALICE.agents, expires_at=1)

    assert len(list(stream(Script([EVENT]), lambda: ended))) == 1


def test_a_stream_ends_when_its_process_stops() -> None:
    stop = threading.Event()
    said = iter(stream(Script([EVENT], [EVENT]), stop=stop))
    next(said), next(said)

    stop.set()

    assert list(said) == []


def test_a_watcher_that_can_not_catch_up_comes_back_later() -> None:
    script = Script([EVENT], StorageUnavailableError("away"), [EVENT])

    assert len(list(stream(script))) == 2


def test_a_stream_that_nobody_reads_is_closed_all_the_same() -> None:
    script = Script([EVENT])

    stream(script).close()

    assert script.is_closed


class Connection:
    def __init__(self) -> None:
        self.timeout: float | None = None

    def settimeout(self, seconds: float | None) -> None:
        self.timeout = seconds

    def gettimeout(self) -> float | None:
        return self.timeout


def test_writing_is_bounded_for_as_long_as_the_stream_lasts() -> None:
    connection = Connection()

    end = bound_writing({"gunicorn.socket": connection})
    during = connection.timeout
    end()

    assert (during, connection.timeout) == (20.0, None)
    bound_writing({})()
