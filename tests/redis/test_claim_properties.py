"""Whatever claimers, clocks and crashes do: one holder at a time, and nobody waits for ever."""

import dataclasses
import secrets

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as profile_of
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from broker.kernel.errors import ConflictError
from broker.kernel.events import FINAL_STATES, DeliveryState
from broker.kernel.ids import AgentId, LeaseToken, MessageId
from broker.messaging.claims import ClaimDoneError, ClaimHeldError, NotClaimableError
from broker.wiring import build_broker
from tests.conftest import MakeSettings
from tests.redis.pool import POOL, Pool
from tests.redis.stage import HOUR_MS, Stage

MEMBERS = st.sampled_from(POOL)
CHOICE = st.integers(min_value=0, max_value=1_000)


@dataclasses.dataclass(kw_only=True)
class Offer:
    """What the model knows of a message: every token that a claim on it ever had, and by whom."""

    id: MessageId
    tokens: list[tuple[str, LeaseToken]] = dataclasses.field(default_factory=list)
    finished_by: str | None = None

    def numbers(self) -> list[int]:
        return [int(token.partition("-")[0]) for _, token in self.tokens]


class ClaimMachine(RuleBasedStateMachine):
    """Lets the members of a pool do what they like, in any order, and compares what comes of it."""

    make_settings: MakeSettings

    def __init__(self) -> None:
        super().__init__()
        chosen = self.make_settings(namespace=f"test-{secrets.token_hex(6)}", partitions=3)
        self.stage = Stage(broker=build_broker(chosen), settings=chosen)
        self.stage.broker.prepare()
        self.stage.register("alice", *POOL)
        self.pool = Pool(stage=self.stage)
        self.offers: list[Offer] = []

    # --- the members ------------------------------------------------------------------------

    @rule()
    def offer(self) -> None:
        self.offers.append(Offer(id=self.pool.offer(max_attempts=50)))

    @precondition(lambda self: self.offers)
    @rule(choice=CHOICE, member=MEMBERS)
    def claim(self, choice: int, member: str) -> None:
        offer = self._any(choice)
        before = self.pool.holders(offer.id)
        try:
            held = self.pool.claim(member, offer.id)
        except ClaimHeldError:
            assert self.pool.holder(offer.id) not in (None, member)
        except ClaimDoneError:
            assert offer.finished_by is not None
        except NotClaimableError:
            assert self.stage.state(offer.id, member) in FINAL_STATES
        else:
            assert held.lease is not None
            assert before in ([], [member])
            assert offer.finished_by is None
            self._note(offer, member, held.lease.token)

    @precondition(lambda self: self.offers)
    @rule(choice=CHOICE, member=MEMBERS)
    def claim_and_die_between_the_steps(self, choice: int, member: str) -> None:
        offer = self._any(choice)
        met = self.pool.store().claim(AgentId(member), offer.id, HOUR_MS)
        if met.outcome == "claimed" and met.claim is not None:
            self._note(offer, member, met.claim.token)

    @precondition(lambda self: any(offer.tokens for offer in self.offers))
    @rule(choice=CHOICE, which=CHOICE)
    def a_second_step_comes_late(self, choice: int, which: int) -> None:
        offer, member, token = self._any_token(choice, which)
        outcome = self.pool.second_step(member, offer.id, token)
        if outcome == "handed_over":
            assert token == offer.tokens[-1][1]

    @precondition(lambda self: any(offer.tokens for offer in self.offers))
    @rule(choice=CHOICE, which=CHOICE, what=st.sampled_from(["renew", "release", "ack", "nack"]))
    def use_a_token(self, choice: int, which: int, what: str) -> None:
        """Most of them are stale; the last one may still be good."""
        offer, member, token = self._any_token(choice, which)
        agent, broker = AgentId(member), self.stage.broker
        runs = token == offer.tokens[-1][1] and self.pool.holders(offer.id) == [member]
        won_again = what == "ack" and token == offer.tokens[-1][1] and offer.finished_by == member
        try:
            match what:
                case "renew":
                    broker.claims.renew(agent, offer.id, token, claim_ms=HOUR_MS)
                case "release":
                    broker.claims.release(agent, offer.id, token)
                case "ack":
                    broker.inboxes.acknowledge(agent, offer.id, token)
                case "nack":
                    broker.inboxes.reject(agent, offer.id, token, delay_ms=HOUR_MS)
        except ConflictError:
            # The sender's side may hold a claim for ended whose lease runs: a clock ran ahead.
            assert not runs or what == "renew"
        else:
            assert runs or won_again
            if what == "ack":
                assert offer.finished_by in (None, member)
                offer.finished_by = member

    @rule(member=MEMBERS)
    def fetch(self, member: str) -> None:
        for one in self.stage.lease(member, lease_ms=HOUR_MS):
            holder = self.pool.holder(one.message.id)
            assert holder in (None, member) or self._has_ended(one.message.id)

    @precondition(lambda self: self.offers)
    @rule(choice=CHOICE, member=MEMBERS, permanent=st.booleans())
    def turn_down(self, choice: int, member: str, *, permanent: bool) -> None:
        offer = self._any(choice)
        for one in self.stage.lease(member, lease_ms=HOUR_MS):
            if one.message.id == offer.id and one.lease and one.attempt == 0:
                self.stage.broker.inboxes.reject(
                    AgentId(member), offer.id, one.lease.token, delay_ms=1000, permanent=permanent
                )

    @rule(member=MEMBERS)
    def a_session_ends(self, member: str) -> None:
        self.stage.broker.inboxes.return_all(AgentId(member))

    # --- time -------------------------------------------------------------------------------

    @rule(member=MEMBERS)
    def time_passes_for_a_member(self, member: str) -> None:
        self.stage.pass_time(member, ms=2 * HOUR_MS)

    @rule()
    def time_passes_for_the_sender(self) -> None:
        self.pool.pass_time_of_claims(*(offer.id for offer in self.offers), ms=2 * HOUR_MS)

    @rule()
    def sweep(self) -> None:
        self.stage.settle()

    # --- what always holds ------------------------------------------------------------------

    @invariant()
    def nobody_holds_what_another_holds(self) -> None:
        for offer in self.offers:
            holders = self.pool.holders(offer.id)
            assert len(holders) <= 1
            assert not holders or self.pool.holder(offer.id) == holders[0]
            assert not holders or offer.finished_by is None

    @invariant()
    def claims_are_numbered_as_they_come(self) -> None:
        for offer in self.offers:
            assert offer.numbers() == sorted(set(offer.numbers()))

    def teardown(self) -> None:
        try:
            self._in_the_end_everything_is_done_or_free()
        finally:
            self.stage.broker.redis.client.close()
            self.stage.broker.jobs.client.close()

    def _in_the_end_everything_is_done_or_free(self) -> None:
        for _ in range(3):
            for member in POOL:
                self.stage.pass_time(member, ms=2 * HOUR_MS)
            self.time_passes_for_the_sender()
            self.stage.settle()
        keys, redis = self.stage.broker.keys, self.stage.broker.redis
        for number in keys.all_partitions():
            assert redis.command("ZCARD", keys.claims(number)) == 0  # type: ignore[arg-type]
        inboxes = {member: self.stage.inbox(member) for member in POOL}
        for offer in self.offers:
            assert self.pool.holder(offer.id) is None
            for member in POOL:
                state = self.stage.state(offer.id, member)
                if offer.finished_by is None:
                    declined = DeliveryState.DECLINED
                    assert (state is declined) != (offer.id in inboxes[member])
                elif member == offer.finished_by:
                    assert state is DeliveryState.ACKNOWLEDGED
                else:
                    assert state in {DeliveryState.TAKEN, DeliveryState.DECLINED}

    def _note(self, offer: Offer, member: str, token: LeaseToken) -> None:
        if (member, token) not in offer.tokens:
            offer.tokens.append((member, token))

    def _any(self, choice: int) -> Offer:
        return self.offers[choice % len(self.offers)]

    def _any_token(self, choice: int, which: int) -> tuple[Offer, str, LeaseToken]:
        claimed = [offer for offer in self.offers if offer.tokens]
        offer = claimed[choice % len(claimed)]
        # Half of the time the newest, which may be good.
        member, token = offer.tokens[-1 if which % 2 else which % len(offer.tokens)]
        return offer, member, token

    def _has_ended(self, message: MessageId) -> bool:
        claim = self.pool.store().read([message])[0]
        return claim is None or claim.expires_at <= self.stage.now()


@pytest.mark.timeout(180)
def test_a_message_has_one_holder_and_in_the_end_one_winner(settings: MakeSettings) -> None:
    machine = type("Machine", (ClaimMachine,), {"make_settings": staticmethod(settings)})
    run_state_machine_as_test(machine, settings=profile)


profile = profile_of(
    max_examples=40,
    database=None,
    # Shrinking would take minutes of Redis; a failure prints its steps, and its seed repeats it.
    phases=(Phase.explicit, Phase.generate),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
