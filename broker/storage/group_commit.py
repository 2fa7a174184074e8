"""Group commit: concurrent calls share one trip to Redis, and so one flush to its disk.

While a trip is under way, the calls that come meanwhile gather; one of them then leads them all on
the next. A lone call goes at once. Nobody waits for more than the trip before its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from broker.kernel.errors import StorageUnavailableError

_RETRY_AFTER_SECONDS: Final = 1.0

Request = TypeVar("Request")
Reply = TypeVar("Reply")


class _Passenger(Generic[Request, Reply]):
    """One caller's requests; woken with replies, with an error, or to lead the next trip."""

    __slots__ = ("error", "leads", "replies", "requests", "woken")

    def __init__(self, requests: Sequence[Request]) -> None:
        self.requests = requests
        self.replies: list[Reply] | None = None
        self.error: BaseException | None = None
        self.leads = False
        self.woken = threading.Event()


class GroupCommit(Generic[Request, Reply]):
    """Sends requests through `trip`, those of concurrent callers together, in their order.

    `trip` answers each request, in order; when it raises, all its callers raise the same.
    """

    def __init__(
        self, trip: Callable[[Sequence[Request]], list[Reply]], *, largest: int = 256
    ) -> None:
        self._trip = trip
        self._largest = largest
        self._lock = threading.Lock()
        self._gathering: list[_Passenger[Request, Reply]] = []
        self._under_way = False

    def send(self, requests: Sequence[Request]) -> list[Reply]:
        """The replies to `requests`. Raises what the trip raised."""
        me: _Passenger[Request, Reply] = _Passenger(requests)
        with self._lock:
            self._gathering.append(me)
            if self._under_way:
                leads = False
            else:
                self._under_way = leads = True
        if not leads:
            self._wait(me)
            leads = me.leads
        if leads:
            self._lead()
        if me.error is not None:
            raise me.error
        return me.replies or []

    def _wait(self, me: _Passenger[Request, Reply]) -> None:
        try:
            me.woken.wait()
        except BaseException:
            # The caller was interrupted (a greenlet that is killed): the others must get on.
            with self._lock:
                if me in self._gathering:
                    self._gathering.remove(me)
            if me.leads:
                self._hand_over()
            raise

    def _lead(self) -> None:
        with self._lock:
            group = self._next_group()
        try:
            replies = self._trip([request for one in group for request in one.requests])
            start = 0
            for one in group:
                one.replies = replies[start : start + len(one.requests)]
                start += len(one.requests)
        except Exception as error:  # noqa: BLE001 - every caller of the group raises it
            for one in group:
                one.error = error
        except BaseException:
            # The leader was interrupted (a greenlet that is killed); that is not the others' end.
            for one in group:
                one.error = StorageUnavailableError(
                    "The trip to Redis was interrupted. Send the same again.",
                    retry_after_seconds=_RETRY_AFTER_SECONDS,
                )
            raise
        finally:
            self._hand_over()
            for one in group:
                one.woken.set()

    def _next_group(self) -> list[_Passenger[Request, Reply]]:
        """Those who travel next: the leader, who came first, and as many as fit."""
        size = count = 0
        for one in self._gathering:
            size += len(one.requests)
            if count and size > self._largest:
                break
            count += 1
        group, self._gathering = self._gathering[:count], self._gathering[count:]
        return group

    def _hand_over(self) -> None:
        with self._lock:
            if self._gathering:
                successor = self._gathering[0]
                successor.leads = True
                successor.woken.set()
            else:
                self._under_way = False
