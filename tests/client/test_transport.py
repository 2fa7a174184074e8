"""What the client does where the network, a proxy or the station's storage is not well."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus

import msgspec
import pytest

from tests.process.stations import free_port
from tests.receivers import Received, Receiver, Reply, receiving
from waystation import ProblemError, Station, UnreachableError
from waystation.answers import Accepted, IssuedKey
from waystation.errors import (
    RateLimitedError,
    StorageUnavailableError,
    UnexpectedAnswerError,
)
from waystation.transport import Retrying

pytestmark = pytest.mark.client

ACCEPTED = {
    "id": "msg_1",
    "created": True,
    "status": "accepted",
    "thread_id": "msg_1",
    "accepted_at": "2026-11-21T00:00:00Z",
}


def ok(_: Received) -> Reply:
    return Reply(status=202, body=msgspec.json.encode(ACCEPTED))


def cut(_: Received) -> Reply:
    """Read the request and hang up."""
    raise ConnectionResetError


def refusing(status: HTTPStatus, code: str, **headers: str) -> Callable[[Received], Reply]:
    problem = {
        "type": f"urn:waystation:problem:{code}",
        "title": code,
        "status": status,
        "code": code,
        "detail": "Not now.",
        "errors": [],
    }
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: Reply(status=status, headers=named, body=msgspec.json.encode(problem))


def page(status: int, text: str = "<html>Bad gateway</html>") -> Callable[[Received], Reply]:
    return lambda _: Reply(status=status, body=text.encode())


@pytest.fixture
def server() -> Iterator[Receiver]:
    """Something that answers in place of a station, as each test says."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def caller(server: Receiver) -> Iterator[Station]:
    with Station(f"http://127.0.0.1:{server.port}", retrying=Retrying(seconds=20)) as caller:
        yield caller


def in_turn(server: Receiver, *behaviours: Callable[[Received], Reply]) -> None:
    """Behave so at the first request, so at the second, and so on."""
    rest = iter(behaviours)

    def behave(received: Received) -> Reply:
        return next(rest)(received)

    server.behaviour = behave


def send(caller: Station) -> Accepted:
    return caller.messages.send("alice", "bob", "hi")


def issue(caller: Station) -> IssuedKey:
    """Ask for what can't be asked for twice."""
    return caller.keys.create("bob's", ["agent:bob"])


@pytest.mark.parametrize("trouble", [cut, page(502), page(503), page(504)])
def test_a_lost_answer_is_asked_for_again_with_the_same_idempotency_key(
    server: Receiver, caller: Station, trouble: Callable[[Received], Reply]
) -> None:
    in_turn(server, trouble, trouble, ok)

    sent = send(caller)

    assert sent.id == "msg_1"
    keys = [one.message["idempotency_key"] for one in server.requests]
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_two_sends_have_keys_of_their_own(server: Receiver, caller: Station) -> None:
    in_turn(server, ok, ok)

    send(caller)
    send(caller)

    first, second = (one.message["idempotency_key"] for one in server.requests)
    assert first != second


@pytest.mark.parametrize("trouble", [cut, page(503)])
def test_what_might_happen_twice_is_not_said_again(
    server: Receiver, caller: Station, trouble: Callable[[Received], Reply]
) -> None:
    in_turn(server, trouble, ok)

    with pytest.raises(UnreachableError):
        issue(caller)

    assert len(server.requests) == 1


def test_a_busy_station_is_asked_again_when_it_wants_to_be(
    server: Receiver, caller: Station
) -> None:
    in_turn(server, refusing(HTTPStatus.SERVICE_UNAVAILABLE, "storage_full", Retry_After="1"), ok)
    began = time.monotonic()

    send(caller)

    assert time.monotonic() - began >= 1
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (HTTPStatus.SERVICE_UNAVAILABLE, "storage_unavailable"),
        (HTTPStatus.TOO_MANY_REQUESTS, "rate_limited"),
    ],
)
def test_what_the_station_says_was_not_done_is_always_said_again(
    server: Receiver, caller: Station, status: HTTPStatus, code: str
) -> None:
    in_turn(server, refusing(status, code), refusing(status, code), page(400, "{}"))

    with pytest.raises(UnexpectedAnswerError):
        issue(caller)

    assert len(server.requests) == 3


def test_it_gives_up_when_its_time_is_over(server: Receiver) -> None:
    server.behaviour = refusing(HTTPStatus.SERVICE_UNAVAILABLE, "storage_unavailable")

    with (
        Station(f"http://127.0.0.1:{server.port}", retrying=Retrying(seconds=0.5)) as caller,
        pytest.raises(StorageUnavailableError),
    ):
        send(caller)

    assert len(server.requests) > 1


def test_it_does_not_wait_for_what_comes_after_its_time(server: Receiver) -> None:
    server.behaviour = refusing(HTTPStatus.TOO_MANY_REQUESTS, "rate_limited", Retry_After="60")

    with (
        Station(f"http://127.0.0.1:{server.port}", retrying=Retrying(seconds=30)) as caller,
        pytest.raises(RateLimitedError) as refused,
    ):
        send(caller)

    assert refused.value.retry_after_seconds == 60
    assert len(server.requests) == 1


def test_without_time_it_asks_once(server: Receiver) -> None:
    server.behaviour = cut

    with (
        Station(f"http://127.0.0.1:{server.port}", retrying=Retrying(seconds=0)) as caller,
        pytest.raises(UnreachableError),
    ):
        send(caller)

    assert len(server.requests) == 1


def test_a_retry_after_that_is_a_date_is_no_obstacle(server: Receiver, caller: Station) -> None:
    date = "Sat, 21 Nov 2026 00:00:00 GMT"
    in_turn(
        server,
        refusing(HTTPStatus.SERVICE_UNAVAILABLE, "storage_unavailable", Retry_After=date),
        ok,
    )

    assert send(caller).id == "msg_1"


def test_a_refusal_is_not_asked_for_again(server: Receiver, caller: Station) -> None:
    in_turn(server, refusing(HTTPStatus.CONFLICT, "idempotency_conflict"), ok)

    with pytest.raises(ProblemError):
        send(caller)

    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [page(200), page(200, "{}"), page(200, '{"id": 7}'), page(404), page(500, "oops")],
)
def test_what_is_not_a_stations_answer_is_called_so(
    server: Receiver, caller: Station, answer: Callable[[Received], Reply]
) -> None:
    server.behaviour = answer

    with pytest.raises(UnexpectedAnswerError):
        send(caller)

    assert len(server.requests) == 1


def test_a_redirect_is_not_followed_since_it_would_lose_what_is_sent(
    server: Receiver, caller: Station
) -> None:
    server.answers(301, Location="https://station.example.com/api/v1/messages")

    with pytest.raises(UnexpectedAnswerError, match=r"https://station\.example\.com"):
        send(caller)


def test_where_nothing_listens_the_error_names_the_place() -> None:
    port = free_port()

    with (
        Station(f"http://127.0.0.1:{port}", retrying=Retrying(seconds=0.2)) as caller,
        pytest.raises(UnreachableError, match=str(port)),
    ):
        send(caller)


def test_a_probe_is_answered_for_now() -> None:
    with Station(f"http://127.0.0.1:{free_port()}", retrying=Retrying(seconds=60)) as caller:
        began = time.monotonic()

        with pytest.raises(UnreachableError):
            caller.alive()

        assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    "use",
    [
        "Station().messages.send('alice', 'bob', 'hi')",
        "station = Station(); station.messages.send('alice', 'bob', 'hi')",
        "s = Station(); send = s.messages.send; send('alice', 'bob', 'hi'); del s",
        "for _ in range(3): Station().messages.send('alice', 'bob', 'hi')",
    ],
)
def test_a_script_that_closes_nothing_ends_in_silence(server: Receiver, use: str) -> None:
    server.behaviour = ok

    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", f"from waystation import Station\n{use}"],
        env=os.environ | {"WAYSTATION_URL": f"http://127.0.0.1:{server.port}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_token_and_the_version_go_with_every_request(server: Receiver) -> None:
    server.behaviour = ok

    with Station(f"http://127.0.0.1:{server.port}", token="wsk_secret") as caller:
        send(caller)

        assert "wsk_secret" not in repr(caller.configuration)
    headers = server.requests[0].headers
    assert headers["authorization"] == "Bearer wsk_secret"
    assert headers["user-agent"].startswith("waystation-python/")
