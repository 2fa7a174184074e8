"""Senders and consumers that use a station over HTTP as agents do, whatever happens to it."""

import itertools
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.process.calls import UNANSWERED, UNAVAILABLE, Calls
from tests.process.ledger import Copy, Delivery, Ledger, Promise, now
from tests.process.stations import Station, running
from tests.waiting import until

FLOW_SECONDS = 15

_BATCH = 10
_EVERY_SECONDS = 0.05
_AGAIN_SECONDS = 0.1
_FETCH = 100
# Senders wait while so many copies are under way: nothing may pile up that takes long to settle.
_WINDOW = 400

# What consumers do with the first attempt of every so many messages of a sender.
_ABANDON = 41
_GIVE_BACK = 43
_REFUSE = 47


class Load:
    """Four senders and a consumer for each of three recipients, on each of some stations.

    Every message has an idempotency key and is sent again until it is accepted; one in ten goes to
    two recipients. Consumers let some leases end, give some messages back and refuse some for good.
    """

    def __init__(self, *urls: str) -> None:
        name = secrets.token_hex(3)
        self.senders = [f"sender-{name}-{number}" for number in range(4)]
        self.recipients = [f"recipient-{name}-{number}" for number in range(3)]
        self.ledger = Ledger()
        self._url_of = dict(zip(self.senders, itertools.cycle(urls), strict=False))
        self._url = urls[0]
        self._sending_ends = threading.Event()
        self._all_ends = threading.Event()
        self._senders = [
            threading.Thread(target=self._send, args=(sender, url))
            for sender, url in self._url_of.items()
        ]
        self._consumers = [
            threading.Thread(target=self._consume, args=(recipient, url))
            for recipient in self.recipients
            for url in urls
        ]

    def start(self) -> None:
        """Register the recipients and begin."""
        calls = Calls(self._url, self.ledger)
        for name in self.recipients:
            status, answer = calls.ask("register", "/agents/register", {"id": name})
            assert status == 201, answer
        for thread in self._senders + self._consumers:
            thread.start()

    def wait_for_flow(
        self,
        *,
        since: float | None = None,
        within: float = FLOW_SECONDS,
        through: str | None = None,
    ) -> None:
        """Wait until each sender's messages to each recipient, sent since then, are acknowledged.

        Without a moment given, messages from now on count; with a URL, senders who use that one.
        """
        moment = now() if since is None else since
        senders = [one for one in self.senders if through in {None, self._url_of[one]}]
        pairs = list(itertools.product(senders, self.recipients))
        until(
            lambda: self.ledger.has_flowed_since(moment, pairs),
            within=within,
            what="new messages of all are acknowledged",
        )

    def settle(self, *, within: float = FLOW_SECONDS) -> None:
        """End the sending, wait until all that was accepted is acknowledged or dead, and judge."""
        self._sending_ends.set()
        _join(self._senders)
        until(self.is_settled, within=within, what="all that was accepted has a verdict")
        self.stop()

        assert self.ledger.faults(self.dead()) == []
        assert self.ledger.promises
        assert self.unexpected_answers() == {}

    def stop(self) -> None:
        """End everything as it is."""
        self._sending_ends.set()
        self._all_ends.set()
        _join(self._senders + self._consumers)

    def dead(self) -> set[Copy]:
        """Return the copies among the dead letters."""
        calls = Calls(self._url, self.ledger)
        return {
            (one["message_id"], name)
            for name in self.recipients
            for one in calls.listed(f"/dead-letters?agent={name}", "dead_letters")
        }

    def unexpected_answers(self) -> dict[tuple[str, int, str], int]:
        """Return the answers that no caller of a station in trouble is prepared for."""
        expected = {
            (UNANSWERED, ""),
            (200, ""),
            (201, ""),
            (202, ""),
            (409, "stale_lease"),  # its lease ended before the answer came; it comes again
            (UNAVAILABLE, "storage_unavailable"),
            (UNAVAILABLE, "storage_full"),
        }
        answers = self.ledger.answers.items()
        return {answer: count for answer, count in answers if answer[1:] not in expected}

    def is_settled(self) -> bool:
        """Whether all that was accepted is acknowledged or dead."""
        remaining = self.ledger.open_copies()
        if not remaining:
            return True
        try:
            return remaining <= self.dead()
        except requests.RequestException:
            return False

    # --- senders ----------------------------------------------------------------------------

    def _send(self, sender: str, url: str) -> None:
        calls = Calls(url, self.ledger)
        first = 0
        for number in itertools.count():
            while len(self.ledger.open_copies()) > _WINDOW:
                if self._sending_ends.wait(_AGAIN_SECONDS):
                    return
            size = 1 if number % 5 == 0 else _BATCH
            messages = [self._message(sender, first + index) for index in range(size)]
            first += size
            self._send_until_accepted(calls, messages)
            if self._sending_ends.wait(_EVERY_SECONDS):
                return

    def _message(self, sender: str, number: int) -> dict[str, Any]:
        to = [self.recipients[number % 3]]
        if number % 10 == 0:
            to.append(self.recipients[(number + 1) % 3])
        return {
            "from": sender,
            "to": to,
            "body": str(number),
            "priority": "high" if number % 4 == 0 else "normal",
            "idempotency_key": f"key-{number}",
        }

    def _send_until_accepted(self, calls: Calls, messages: Sequence[dict[str, Any]]) -> None:
        sent_at = now()
        while not self._all_ends.is_set():
            if ids := self._accepted(calls, messages):
                for message, identifier in zip(messages, ids, strict=True):
                    self.ledger.promised(
                        Promise(
                            id=identifier,
                            sender=message["from"],
                            to=tuple(message["to"]),
                            priority=message["priority"],
                            sent_at=sent_at,
                        )
                    )
                return
            self._all_ends.wait(_AGAIN_SECONDS)

    def _accepted(self, calls: Calls, messages: Sequence[dict[str, Any]]) -> list[str]:
        """Send one alone, or several as a batch; their ids if all are accepted, or none."""
        if len(messages) == 1:
            status, answer = calls.ask("send", "/messages", messages[0])
            return [answer["id"]] if status in {200, 202} else []
        status, answer = calls.ask("send", "/messages/batch", {"messages": messages})
        if status != 202:
            return []
        for result in answer["results"]:
            if "problem" in result:
                self.ledger.answered("send", result["problem"]["status"], result["problem"]["code"])
        accepted = [one["id"] for one in answer["results"] if one["status"] == "accepted"]
        return accepted if len(accepted) == len(messages) else []

    # --- consumers --------------------------------------------------------------------------

    def _consume(self, recipient: str, url: str) -> None:
        calls = Calls(url, self.ledger)
        while not self._all_ends.is_set():
            path = f"/agents/{recipient}/inbox?limit={_FETCH}&wait_seconds=1"
            status, inbox = calls.ask("fetch", path)
            if status != 200:
                self._all_ends.wait(_AGAIN_SECONDS)
                continue
            deliveries = [
                Delivery(id=one["id"], recipient=recipient, consumer=url, attempt=one["attempt"])
                for one in inbox["messages"]
            ]
            self.ledger.delivered(deliveries)
            self._finish(calls, recipient, list(zip(deliveries, inbox["messages"], strict=True)))

    def _finish(
        self, calls: Calls, recipient: str, held: Sequence[tuple[Delivery, dict[str, Any]]]
    ) -> None:
        done = []
        for delivery, message in held:
            number, token = int(message["body"]), message["lease"]["token"]
            if delivery.attempt > 1 or not any(
                number % every == 0 for every in (_ABANDON, _GIVE_BACK, _REFUSE)
            ):
                done.append((delivery, token))
            elif number % _ABANDON:
                self._reject(calls, delivery, token, permanent=number % _REFUSE == 0)
        if not done:
            return
        answer = calls.ask_until_decided(
            "acknowledge",
            f"/agents/{recipient}/inbox/ack",
            {"acks": [{"id": one.id, "lease_token": token} for one, token in done]},
            unless=self._all_ends,
        )
        for (delivery, _), result in zip(done, answer.get("results", ()), strict=False):
            if "problem" in result:
                problem = result["problem"]
                self.ledger.answered("acknowledge", problem["status"], problem["code"])
            else:
                self.ledger.acknowledged(delivery)

    def _reject(self, calls: Calls, delivery: Delivery, token: str, *, permanent: bool) -> None:
        calls.ask_until_decided(
            "reject",
            f"/messages/{delivery.id}/nack",
            {
                "agent_id": delivery.recipient,
                "lease_token": token,
                "reason": "a trial",
                "permanent": permanent,
            },
            unless=self._all_ends,
        )


def _join(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        if thread.ident is not None:
            thread.join(60)
            assert not thread.is_alive(), "an agent waits for an answer for ever"


@contextmanager
def under_load(*urls: str) -> Iterator[Load]:
    """Give a load that flows, and leave none of its threads."""
    load = Load(*urls)
    try:
        load.start()
        load.wait_for_flow()
        yield load
    finally:
        load.stop()


@contextmanager
def impatient(data_dir: Path, *, port: int | None = None, **environ: str) -> Iterator[Station]:
    """Give a station that is ready, whose leases and waits end soon."""
    with running(
        data_dir,
        port=port,
        WAYSTATION_LEASE_SECONDS="2",
        WAYSTATION_RETRY_DELAY_SECONDS="1",
        # Kills cost attempts, and only what consumers refuse is to become a dead letter.
        WAYSTATION_MAX_ATTEMPTS="50",
        WAYSTATION_DEAD_LETTER_RETRY_SECONDS="1",
        **environ,
    ) as station:
        yield station
