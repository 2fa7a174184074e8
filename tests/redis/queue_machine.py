"""What agents, routers and time may do to a queue: steps that broker and model take together."""

import secrets
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from broker.kernel.errors import ConflictError, NotWaitingError, StaleLeaseError
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.dead_letters import DeadLetterFilter, DeadLetterStatus
from broker.messaging.delivery import Acknowledgement
from broker.routing.store import Batch
from broker.wiring import build_broker
from tests.conftest import MakeSettings
from tests.redis.queue_model import Copy, QueueModel
from tests.redis.stage import HOUR_MS, Stage, token

SENDERS = st.sampled_from(["alice", "dora"])
RECIPIENTS = st.sampled_from(["bob", "carol"])
PRIORITIES = st.sampled_from([9, 7, 5, 3])
CHOICE = st.integers(min_value=0, max_value=1_000)


class QueueMachine(RuleBasedStateMachine):
    """Drives a broker and the model by the same steps, and compares them after each."""

    make_settings: MakeSettings

    def __init__(self) -> None:
        super().__init__()
        chosen = self.make_settings(namespace=f"test-{secrets.token_hex(6)}", partitions=2)
        self.stage = Stage(broker=build_broker(chosen), settings=chosen)
        self.stage.broker.prepare()
        self.stage.register("alice", "dora", "bob", "carol")
        self.model = QueueModel()
        self.batches: list[tuple[Batch, list[Copy]]] = []

    def teardown(self) -> None:
        self.stage.broker.redis.client.close()
        self.stage.broker.jobs.client.close()

    # --- sending ----------------------------------------------------------------------------

    @rule(
        sender=SENDERS,
        to=RECIPIENTS,
        priority=PRIORITIES,
        attempts=st.integers(min_value=1, max_value=3),
        delayed=st.booleans(),
    )
    def send(self, sender: str, to: str, priority: int, attempts: int, *, delayed: bool) -> None:
        self._send(sender, to, priority, attempts, delay_ms=HOUR_MS if delayed else None)

    @rule(sender=SENDERS, to=RECIPIENTS, key=st.sampled_from(["k1", "k2"]))
    def send_once(self, sender: str, to: str, key: str) -> None:
        name = f"{key} to {to}"
        first = self.model.keys.get((sender, name))
        if first is None:
            copy = self._send(sender, to, 5, 3, idempotency_key=name)
            self.model.keys[sender, name] = copy.id
        else:
            draft = self.stage.draft(
                *(to, sender),
                priority=5,
                max_attempts=3,
                idempotency_key=name,
                expects_reply=True,
            )
            again = self.stage.broker.queue.send(draft)
            assert (again.id, again.created) == (first, False)

    @precondition(lambda self: self.model.copies)
    @rule(choice=CHOICE, to=RECIPIENTS, priority=PRIORITIES)
    def supersede(self, choice: int, to: str, priority: int) -> None:
        # Most telling where a router that died had the old one in its hands.
        old = self._any(self.model.in_state("taken") or [*self.model.copies.values()], choice)
        at_once = old.state == "delayed" or (
            old.state == "ingress" and not self._may_be_taken(old.sender)
        )
        self._send(old.sender, to, priority, 3, supersedes=old.id)
        if not at_once:
            # The routing of the new one withdraws it: let that happen before anything else does.
            self.route()
        if at_once or old.state in {"queued", "waiting"}:
            old.state = "superseded"

    def _send(
        self,
        sender: str,
        to: str,
        priority: int,
        attempts: int,
        **fields: Any,
    ) -> Copy:
        fields |= {"priority": priority, "max_attempts": attempts, "expects_reply": True}
        identifier = self.stage.send(to, sender, **fields)
        assert identifier not in self.model.copies
        copy = Copy(
            id=identifier,
            sender=sender,
            recipient=to,
            priority=priority,
            max_attempts=attempts,
            number=self.model.next_number(),
            state="delayed" if fields.get("delay_ms") else "ingress",
        )
        self.model.copies[identifier] = copy
        return copy

    @precondition(lambda self: self.model.in_state("delayed"))
    @rule()
    def delays_end(self) -> None:
        for number in self.stage.broker.keys.all_partitions():
            self.stage.shift(self.stage.broker.keys.delayed(number), -HOUR_MS)  # type: ignore[arg-type]
        for copy in self.model.in_state("delayed"):
            # It lines up now, behind what was sent while it waited.
            copy.state, copy.number = "ingress", self.model.next_number()
        self.route()

    # --- routing ----------------------------------------------------------------------------

    @precondition(lambda self: self.model.in_state("ingress", "taken"))
    @rule()
    def route(self) -> None:
        for sender in ("alice", "dora"):
            self.stage.forget_drainer(sender)
        self.stage.route()
        self._arrived()

    @precondition(lambda self: self.model.in_state("ingress", "taken"))
    @rule(sender=SENDERS, committed=st.booleans())
    def router_dies(self, sender: str, *, committed: bool) -> None:
        """It took a batch, perhaps put it into inboxes, and was killed before it released it."""
        self.stage.forget_drainer(sender)
        batch = self.stage.take(sender, token=secrets.token_hex(4))
        if batch is None:
            return
        copies = [self.model.copies[name] for name in batch.ids]
        for copy in copies:
            if copy.state == "ingress":
                copy.state = "taken"
        if committed:
            for recipient in ("bob", "carol"):
                self._commit(batch, recipient)
            self.batches.append((batch, copies))
            self._arrived(copies)
        self.stage.forget_drainer(sender)

    @precondition(lambda self: self.batches)
    @rule(choice=CHOICE)
    def commit_comes_twice(self, choice: int) -> None:
        batch, _ = self.batches[choice % len(self.batches)]
        for recipient in ("bob", "carol"):
            self._commit(batch, recipient)

    def _commit(self, batch: Batch, recipient: str) -> None:
        names = tuple(n for n in batch.ids if self.model.copies[n].recipient == recipient)
        if names:
            assert self.stage.commit(Batch(ids=names, valid_until=2**52), recipient)

    def _arrived(self, copies: list[Copy] | None = None) -> None:
        """Compare what is new in the inboxes with what was on its way; in what order it came."""
        expected = [
            copy
            for copy in (self.model.in_state("ingress", "taken") if copies is None else copies)
            if copy.state in {"ingress", "taken"}
        ]
        for sender in ("alice", "dora"):
            self.model.arrive([copy for copy in expected if copy.sender == sender])

    # --- receiving --------------------------------------------------------------------------

    @precondition(lambda self: self.model.in_state("queued"))
    @rule(agent=RECIPIENTS, limit=st.integers(min_value=1, max_value=4))
    def lease(self, agent: str, limit: int) -> None:
        expected = self.model.inbox(agent)[:limit]
        leased = self.stage.lease(agent, limit, lease_ms=12 * HOUR_MS)
        self._check_order(agent, [one.message.id for one in leased], expected)
        for one in leased:
            copy = self.model.copies[one.message.id]
            assert copy.state == "queued"
            assert not copy.was_acknowledged
            self.model.lease(copy, token(one))
            assert one.attempt == copy.attempts <= copy.max_attempts

    def _check_order(self, agent: str, got: list[MessageId], expected: list[Copy]) -> None:
        """Strictly by priority; in each, every sender's messages as they came."""
        assert len(got) == len(expected)
        copies = [self.model.copies[name] for name in got]
        assert [c.priority for c in copies] == [c.priority for c in expected]
        for sender in ("alice", "dora"):
            everything = [c for c in self.model.inbox(agent) if c.sender == sender]
            mine = [c for c in copies if c.sender == sender]
            for priority in {c.priority for c in mine}:
                of_all = [c.id for c in everything if c.priority == priority]
                ours = [c.id for c in mine if c.priority == priority]
                assert ours == of_all[: len(ours)]

    @precondition(lambda self: self.model.in_state("leased"))
    @rule(choice=CHOICE, many=st.booleans())
    def acknowledge(self, choice: int, *, many: bool) -> None:
        copy = self._any(self.model.in_state("leased"), choice)
        same = [c for c in self.model.in_state("leased") if c.recipient == copy.recipient]
        done = same if many else [copy]
        verdicts = self.stage.broker.inboxes.acknowledge_many(
            AgentId(copy.recipient),
            [Acknowledgement(message_id=c.id, token=c.token) for c in done if c.token],
        )
        assert verdicts == [None] * len(done)
        for one in done:
            one.state, one.was_acknowledged = "acknowledged", True

    @precondition(lambda self: self.model.in_state("queued", "leased", "waiting"))
    @rule(choice=CHOICE, with_token=st.booleans())
    def reply(self, choice: int, *, with_token: bool) -> None:
        copy = self._any(self.model.in_state("queued", "leased", "waiting"), choice)
        token = copy.token if with_token else None

        sent = self.stage.reply(copy.id, copy.recipient, lease_token=token)

        copy.state, copy.was_acknowledged = "replied", True
        copy.replies.append(sent.id)
        shown = self.stage.broker.tickets.get(copy.id)
        assert [one.id for one in shown.replies] == copy.replies
        self.route()  # the model knows nothing of the reply's own way

    @precondition(lambda self: self.model.in_state("leased"))
    @rule(choice=CHOICE, delay_ms=st.sampled_from([0, HOUR_MS]), permanent=st.booleans())
    def reject(self, choice: int, delay_ms: int, *, permanent: bool) -> None:
        copy = self._any(self.model.in_state("leased"), choice)
        assert copy.token is not None
        rejected = self.stage.broker.inboxes.reject(
            AgentId(copy.recipient), copy.id, copy.token, delay_ms=delay_ms, permanent=permanent
        )
        copy.lose_token()
        if permanent or copy.attempts >= copy.max_attempts:
            copy.state = "dead"
        else:
            copy.state = "waiting" if delay_ms else "queued"
        assert rejected.state == ("dead" if copy.state == "dead" else "waiting")

    @precondition(lambda self: self.model.in_state("leased"))
    @rule(choice=CHOICE)
    def give_back(self, choice: int) -> None:
        copy = self._any(self.model.in_state("leased"), choice)
        assert copy.token is not None
        held = [Acknowledgement(message_id=copy.id, token=copy.token)]
        assert self.stage.broker.inboxes.give_back(AgentId(copy.recipient), held) == 1
        copy.lose_token()
        copy.attempts -= 1
        copy.state = "queued"

    @precondition(lambda self: any(c.stale_tokens for c in self.model.copies.values()))
    @rule(choice=CHOICE)
    def use_a_stale_token(self, choice: int) -> None:
        known = [copy for copy in self.model.copies.values() if copy.stale_tokens]
        # Most telling where somebody else holds it by now.
        copy = self._any([c for c in known if c.state == "leased"] or known, choice)
        stale, agent = copy.stale_tokens[choice % len(copy.stale_tokens)], AgentId(copy.recipient)
        inboxes = self.stage.broker.inboxes
        with pytest.raises(StaleLeaseError):
            inboxes.acknowledge(agent, copy.id, stale)
        with pytest.raises(StaleLeaseError):
            inboxes.reject(agent, copy.id, stale)
        with pytest.raises(StaleLeaseError):
            inboxes.extend(agent, copy.id, stale, lease_ms=1000)
        with pytest.raises(StaleLeaseError):
            self.stage.reply(copy.id, copy.recipient, lease_token=stale)

    # --- time and withdrawal ----------------------------------------------------------------

    @precondition(lambda self: self.model.in_state("leased", "waiting"))
    @rule(agent=RECIPIENTS)
    def leases_and_waits_end(self, agent: str) -> None:
        keys, name = self.stage.broker.keys, AgentId(agent)
        for timed in (keys.leased(name), keys.waiting(name), keys.alarms(keys.partition_for(name))):
            self.stage.shift(timed, -24 * HOUR_MS)
        for copy in self.model.in_state("leased"):
            if copy.recipient == agent:
                self.model.end_lease(copy)
        for copy in self.model.in_state("waiting"):
            if copy.recipient == agent:
                copy.state = "queued"
        self.stage.settle()

    @precondition(lambda self: self.model.copies)
    @rule(choice=CHOICE)
    def cancel(self, choice: int) -> None:
        copy = self._any(list(self.model.copies.values()), choice)
        if self._may_be_taken(copy.sender):
            self.route()  # what a dead router held must be routed anew first
        if copy.state in {"delayed", "ingress", "queued", "waiting"}:
            self.stage.broker.withdrawals.cancel(copy.id)
            copy.state = "cancelled"
        else:
            with pytest.raises(NotWaitingError):
                self.stage.broker.withdrawals.cancel(copy.id)

    def _may_be_taken(self, sender: str) -> bool:
        keys = self.stage.broker.keys
        key = keys.taken(keys.partition_for(AgentId(sender)))
        return bool(self.stage.broker.redis.command("EXISTS", key))

    @precondition(lambda self: self.model.in_state("dead"))
    @rule()
    def retry_dead_letters(self) -> None:
        letters, _ = self.stage.broker.dead_letters.find(DeadLetterFilter(), limit=1000)
        opened = [one for one in letters if one.status is DeadLetterStatus.OPEN]
        assert {one.message_id for one in opened} == {c.id for c in self.model.in_state("dead")}
        for letter in opened:
            self.stage.broker.dead_letters.retry(letter.id)
            self.model.retry(self.model.copies[letter.message_id])
            with pytest.raises(ConflictError):
                self.stage.broker.dead_letters.retry(letter.id)

    @staticmethod
    def _any(copies: list[Copy], choice: int) -> Copy:
        return copies[choice % len(copies)]
