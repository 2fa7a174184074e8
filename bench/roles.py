"""What the connections of a load test do: send, send in batches, fetch and acknowledge."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from bench.connections import get, post

ENTRANCE = "/api/v1"


@dataclass(kw_only=True)
class Tally:
    """What all connections of a test have done so far."""

    sent: int = 0
    fetched: int = 0
    acknowledged: int = 0
    refused: int = 0
    answer_seconds: list[float] = field(default_factory=list)
    way_seconds: list[float] = field(default_factory=list)

    @property
    def on_the_way(self) -> int:
        """Messages that are sent and not acknowledged."""
        return self.sent - self.acknowledged


class Echoed:
    """Posts the same body again and again."""

    def __init__(self, tally: Tally, path: str, body: bytes) -> None:
        self._tally = tally
        self._request = post(path, body)

    def request(self) -> bytes | None:
        """The next request of this connection."""
        return self._request

    def answered(self, status: int, body: bytes, seconds: float) -> None:  # noqa: ARG002 - as asked
        """Count what came of it."""
        self._tally.answer_seconds.append(seconds)
        if status == 200:
            self._tally.sent += 1
        else:
            self._tally.refused += 1


class Sender:
    """Sends to the recipients in turn, `batch` messages a request; pauses when too many wait.

    It keeps `pause_seconds` from one request to the next. Each body begins with the time of its
    request, so that its recipient knows how long it took.
    """

    def __init__(
        self,
        tally: Tally,
        *,
        number: int,
        recipients: tuple[str, ...],
        body_bytes: int,
        batch: int | None = None,
        most_on_the_way: int | None = None,
        pause_seconds: float = 0,
    ) -> None:
        self._tally = tally
        self._pause_seconds = pause_seconds
        self._next_at = time.perf_counter() + random.random() * pause_seconds
        self._path = f"{ENTRANCE}/messages" + ("/batch" if batch else "")
        self._batch = batch
        self._most = most_on_the_way
        self._turn = number
        filler = "x" * max(0, body_bytes - 20)
        self._items = [
            f'{{"from":"sender{number}","to":"{recipient}","body":"%020.6f{filler}"}}'
            for recipient in recipients
        ]

    def request(self) -> bytes | None:
        """The next request of this connection."""
        if self._most is not None and self._tally.on_the_way >= self._most:
            return None
        now = time.perf_counter()
        if now < self._next_at:
            return None
        self._next_at = max(self._next_at + self._pause_seconds, now - self._pause_seconds)
        if self._batch is None:
            return post(self._path, (self._next_item() % now).encode())
        items = ",".join([self._next_item() % now for _ in range(self._batch)])
        return post(self._path, f'{{"messages":[{items}]}}'.encode())

    def answered(self, status: int, body: bytes, seconds: float) -> None:
        """Count what came of it."""
        self._tally.answer_seconds.append(seconds)
        if status != 202:
            self._tally.refused += self._batch or 1
        elif self._batch is None:
            self._tally.sent += 1
        else:
            accepted = body.count(b'"accepted_at"') or body.count(b'"accepted"')
            self._tally.sent += accepted
            self._tally.refused += self._batch - accepted

    def _next_item(self) -> str:
        self._turn = (self._turn + 1) % len(self._items)
        return self._items[self._turn]


class _Lease(msgspec.Struct):
    token: str


class _Message(msgspec.Struct):
    id: str
    body: str
    lease: _Lease


class _Inbox(msgspec.Struct):
    messages: list[_Message]


_inbox = msgspec.json.Decoder(_Inbox)


class Consumer:
    """Fetches what stands in an inbox and acknowledges it all with one call."""

    def __init__(self, tally: Tally, *, name: str, limit: int, wait_seconds: int) -> None:
        self._tally = tally
        inbox = f"{ENTRANCE}/agents/{name}/inbox"
        self._fetch = get(f"{inbox}?limit={limit}&wait_seconds={wait_seconds}&lease_seconds=60")
        self._ack_path = f"{inbox}/ack"
        self._leased: list[_Message] = []

    def request(self) -> bytes | None:
        """The next request of this connection."""
        if not self._leased:
            return self._fetch
        acks = ",".join(
            [f'{{"id":"{one.id}","lease_token":"{one.lease.token}"}}' for one in self._leased]
        )
        return post(self._ack_path, f'{{"acks":[{acks}]}}'.encode())

    def answered(self, status: int, body: bytes, seconds: float) -> None:  # noqa: ARG002 - as asked
        """Count what came of it."""
        if status != 200:
            self._tally.refused += 1
            self._leased = []
        elif self._leased:
            self._tally.acknowledged += body.count(b'"acknowledged"')
            self._leased = []
        else:
            self._leased = _inbox.decode(body).messages
            self._tally.fetched += len(self._leased)
            now = time.perf_counter()
            self._tally.way_seconds += [now - float(one.body[:20]) for one in self._leased]


def for_seconds(seconds: float) -> Callable[[], bool]:
    """A test that goes on for so long."""
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() < end
