"""Tickets: a message that expects a reply, the replies to it, and waiting for them (SPEC M10).

A ticket is no record of its own: its id is the message's, its state is computed when it is asked
for, of the deliveries, the replies and the time. A reply is any message whose `reply_to` is the
ticket and whose sender is one of its recipients, whichever way it was sent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from broker.kernel.clock import MILLISECONDS, Clock
from broker.kernel.errors import (
    BrokerError,
    NotFoundError,
    StorageFullError,
)
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId, created_ms
from broker.kernel.viewer import EVERYONE, Viewer, includes
from broker.messaging.arrivals import Arrivals
from broker.messaging.delivery import Receipt, receipt_from
from broker.messaging.inbox_store import InboxStore
from broker.messaging.message import Draft, Message, unpack
from broker.messaging.queue import Accepted, MessageQueue
from broker.messaging.record_store import RecordStore
from broker.messaging.refusals import Refusals
from broker.messaging.relations import NotedReply, Relations
from broker.messaging.ticket import (
    OwedTicket,
    Reply,
    Response,
    Ticket,
    ticket_state,
)
from broker.messaging.ticket_store import TicketStore
from broker.messaging.visibility import Visibility
from broker.storage.scripts import Outcome

# An arrival may be announced while its listener is reconnecting: look again at least this often.
_RECHECK_SECONDS: Final = 5.0
# All that arrives for the asker wakes who waits for a reply; it looks again no sooner than this.
_CALM_SECONDS: Final = 0.02
_FIRST_REPLIES: Final = 100
_OWING: Final = frozenset(
    {
        DeliveryState.QUEUED,
        DeliveryState.LEASED,
        DeliveryState.WAITING,
        DeliveryState.ACKNOWLEDGED,
    }
)
# A dead letter may be retried, and then it is owed again.
_MAY_OWE: Final = _OWING | {DeliveryState.DEAD}


class TicketNotFoundError(NotFoundError):
    """No ticket of that id is stored, or it is no business of who asks."""

    code = "ticket_not_found"


class Tickets:
    """Asking and answering on top of messages."""

    def __init__(
        self,
        records: RecordStore,
        inboxes: InboxStore,
        store: TicketStore,
        relations: Relations,
        queue: MessageQueue,
        *,
        visibility: Visibility,
        arrivals: Arrivals,
        receipts: Callable[[MessageId], list[Receipt]],
        refusals: Refusals,
        clock: Clock,
    ) -> None:
        """`receipts` are those of a message."""
        self._records = records
        self._inboxes = inboxes
        self._store = store
        self._relations = relations
        self._queue = queue
        self._visibility = visibility
        self._arrivals = arrivals
        self._receipts = receipts
        self._refusals = refusals
        self._clock = clock

    # --- answering --------------------------------------------------------------------------

    def reply(self, response: Response) -> Accepted:
        """Answer a ticket: the reply is on its way, and the replier's copy has its verdict.

        One step does both. A second reply is a further message. With a lease token the same call
        may come again: a token stands for one reply. Raises `TicketNotFoundError` where the agent
        is not among the recipients, `NotClaimedError` for what is only offered to it,
        `StaleLeaseError`, `StaleEpochError`, `UnknownAgentError`, and what `MessageQueue.send`
        would.
        """
        ticket = self._ticket(response.ticket_id)
        key = response.idempotency_key
        if key is None and response.lease_token is not None:
            key = f"reply:{ticket.id}:{response.lease_token}"
        draft = Draft(
            sender=response.agent_id,
            to=(ticket.sender,),
            body=response.body,
            payload=response.payload,
            kind="response",
            subject=response.subject,
            meta=response.meta,
            priority=ticket.priority if response.priority is None else response.priority,
            reply_to=ticket.id,
            correlation_id=ticket.correlation,
            idempotency_key=key,
            ttl_ms=response.ttl_ms,
            # Who asks need not be registered, and may come back for the answer.
            hold_for_unknown=True,
            epoch=response.epoch,
        )

        def refusal(outcome: Outcome) -> BrokerError:
            if outcome.name == "unknown_message":
                return _unknown(ticket.id)
            return self._refusals.of(response.agent_id, outcome, ticket.id) or _unknown(ticket.id)

        return self._queue.send_by(self._store.replying(response, refusal), draft)

    # --- asking -----------------------------------------------------------------------------

    def get(
        self,
        identifier: MessageId,
        viewer: Viewer = EVERYONE,
        *,
        limit: int = _FIRST_REPLIES,
        after: MessageId | None = None,
    ) -> Ticket:
        """A ticket with a page of its replies: the first, or those after the reply `after`.

        Who is only a recipient sees its own replies. Raises `TicketNotFoundError`.
        """
        ticket = self._visible(identifier, viewer)
        return self._shown(ticket, viewer, limit=limit, after=after)

    def wait(
        self,
        identifier: MessageId,
        viewer: Viewer = EVERYONE,
        *,
        wait_seconds: float,
        stop: threading.Event | None = None,
        check: Callable[[], object] = lambda: None,
    ) -> Ticket:
        """A ticket with its first replies, as soon as there is one or its time is over.

        What there is by then after `wait_seconds`, or when `stop` is set; `check` raises what ends
        the wait where the caller may know no more. Raises `TicketNotFoundError`.
        """
        ticket = self._visible(identifier, viewer)
        deadline = time.monotonic() + wait_seconds
        while True:
            looked_at = time.monotonic()
            with self._arrivals.watch(ticket.sender) as arrival:
                answers = self._answers([ticket])[0]
                left = self._awaited_seconds(ticket, answers, deadline)
                if left <= 0 or (stop is not None and stop.is_set()):
                    return self._shown(ticket, viewer)
                arrival.wait(min(left, _RECHECK_SECONDS))
            time.sleep(max(0.0, looked_at + _CALM_SECONDS - time.monotonic()))
            check()

    def _awaited_seconds(
        self, ticket: Message, answers: Sequence[NotedReply], deadline: float
    ) -> float:
        """How much longer to wait for a first reply."""
        if answers or ticket.timeout_at is None:
            return 0
        until_timeout = (ticket.timeout_at - self._clock()) / MILLISECONDS
        return min(deadline - time.monotonic(), until_timeout)

    def owed_by(
        self, agent: AgentId, *, limit: int, after: tuple[int, MessageId] = (0, MessageId(""))
    ) -> tuple[list[OwedTicket], tuple[int, MessageId] | None]:
        """Tickets that an agent has yet to answer, and where to go on: the soonest to time out.

        It leases nothing. `after` is what the page before gave. Raises `UnknownAgentError`.
        """
        now = self._clock()
        after = max(after, (now, MessageId("")))
        owed: list[OwedTicket] = []
        while True:
            entries = self._store.owed(agent, after=after, limit=limit)
            for entry, ticket in self._still_owed(agent, entries):
                if len(owed) == limit:
                    return owed, after
                owed.append(ticket)
                after = entry
            if len(entries) < limit:
                break
            after = max(after, entries[-1])
        if not owed and not self._store.redis.command("EXISTS", self._store.keys.agent(agent)):
            self._refusals.unknown(agent)
        return owed, None

    def _still_owed(
        self, agent: AgentId, entries: Sequence[tuple[int, MessageId]]
    ) -> list[tuple[tuple[int, MessageId], OwedTicket]]:
        """Those that are; the others are struck off where they can't become so again."""
        ids = [name for _, name in entries]
        records = self._records.read(ids)
        packed = self._inboxes.deliveries([(name, agent) for name in ids])
        tickets = [record for record in records if record is not None]
        answered = {
            ticket.id
            for ticket, answers in zip(tickets, self._answers(tickets), strict=True)
            if any(one.sender == agent for one in answers)
        }
        found, over = [], []
        for entry, ticket, delivery in zip(entries, records, packed, strict=True):
            receipt = None if delivery is None else receipt_from(agent, unpack(delivery))
            if (
                ticket is None
                or receipt is None
                or ticket.id in answered
                or receipt.state not in _MAY_OWE
            ):
                over.append(entry[1])
            elif receipt.state in _OWING:
                found.append((entry, OwedTicket(message=ticket, delivered_at=receipt.delivered_at)))
        self._store.forgive(agent, over)
        return found

    # --- reading ----------------------------------------------------------------------------

    def _ticket(self, identifier: MessageId) -> Message:
        message = self._records.read([identifier])[0]
        if message is None or not message.expects_reply:
            raise _unknown(identifier)
        return message

    def _visible(self, identifier: MessageId, viewer: Viewer) -> Message:
        ticket = self._ticket(identifier)
        if not self._visibility.sees(viewer, ticket):
            raise _unknown(identifier)
        return ticket

    def _answers(self, tickets: Sequence[Message]) -> list[list[NotedReply]]:
        """The replies of each ticket that are stored and a recipient's, in their order."""
        noted = self._relations.replies([ticket.id for ticket in tickets])
        if not any(noted):
            return noted
        recipients = self._store.recipients_among(
            [
                (ticket, {one.sender for one in replies})
                for ticket, replies in zip(tickets, noted, strict=True)
            ]
        )
        uncertain = [one.id for replies in noted for one in replies if not one.certain]
        stored = self._store.stored(uncertain)
        answers = []
        for ticket, replies, senders in zip(tickets, noted, recipients, strict=True):
            found = [one for one in replies if one.certain or one.id in stored]
            # Reading needs no room: where Redis has none, the next reader sees to it.
            with suppress(StorageFullError):
                self._relations.confirm(ticket, [one for one in found if not one.certain])
            answers.append([one for one in found if one.sender in senders])
        return answers

    def _shown(
        self,
        ticket: Message,
        viewer: Viewer,
        *,
        limit: int = _FIRST_REPLIES,
        after: MessageId | None = None,
    ) -> Ticket:
        answers = self._answers([ticket])[0]
        responded_at = answers[0].at if answers else None
        delivered = [receipt.delivered_at for receipt in self._receipts(ticket.id)]
        delivered_at = min((at for at in delivered if at is not None), default=None)
        if not includes(viewer, ticket.sender):
            answers = [one for one in answers if includes(viewer, one.sender)]
        count = len(answers)
        if after is not None:
            passed = (created_ms(after), after)
            answers = [one for one in answers if (one.at, one.id) > passed]
        page = answers[:limit]
        records = self._records.read([one.id for one in page])
        return Ticket(
            message=ticket,
            state=ticket_state(
                ticket,
                delivered_at=delivered_at,
                responded_at=responded_at,
                now_ms=self._clock(),
            ),
            delivered_at=delivered_at,
            responded_at=responded_at,
            replies=tuple(
                Reply(id=one.id, agent_id=one.sender, at=one.at, message=record)
                for one, record in zip(page, records, strict=True)
            ),
            count=count,
            cursor=page[-1].id if len(answers) > limit else None,
        )


def _unknown(identifier: MessageId) -> TicketNotFoundError:
    return TicketNotFoundError(
        f"No ticket {identifier} is open to you: no such message is stored, it expects no reply, "
        "or it was not addressed to this agent."
    )
