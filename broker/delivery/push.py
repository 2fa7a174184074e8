"""One turn of pushing to one agent: its messages in order, one at a time, for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog

from broker.delivery.breaker import BreakerState
from broker.delivery.hold import Hold
from broker.delivery.posting import Post, Posting
from broker.delivery.store import Begun, Failure, WebhookStore
from broker.delivery.verdict import Outcome, Verdict
from broker.delivery.webhook import Webhook, WebhookPolicy
from broker.kernel.clock import Clock
from broker.kernel.errors import ConflictError, MessageNotFoundError, StaleLeaseError
from broker.kernel.ids import AgentId
from broker.messaging.delivery import Acknowledgement, Delivered, Lease, Wanted
from broker.messaging.inbox import Inboxes

HOLDER: Final = "webhook"
"""Who leases a message that is pushed: includes/delivery.lua knows it too."""

# After this others have their turn.
_TURN_SECONDS: Final = 1.0
# Messages leased in one trip. An endpoint that answers slowly gets one at a time, so that few lie
# leased, and what is urgent need not wait behind them.
_BATCH: Final = 32
_QUICK_SECONDS: Final = 0.2
# What a lease lasts beyond the requests themselves. It ends by itself only where all pushers died.
_LEASE_MARGIN_MS: Final = 10_000
# When an endpoint took a message that can't be finished by that (a claimable one that it would have
# to claim), it gets the message again after this.
_AGAIN_MS: Final = 60_000

_log = structlog.get_logger(__name__)


class Pushing:
    """Pushes to agents, one turn each; what goes wrong with an endpoint is in the verdicts."""

    def __init__(
        self,
        store: WebhookStore,
        inboxes: Inboxes,
        posting: Posting,
        policy: WebhookPolicy,
        *,
        max_lease_ms: int,
        gone: Callable[[Webhook, str], None],
        clock: Clock,
    ) -> None:
        """`gone` turns a webhook off whose endpoint wants no more, and tells of it; why."""
        self.store = store
        self.inboxes = inboxes
        self.posting = posting
        self.policy = policy
        self.clock = clock
        self.max_lease_ms = max_lease_ms
        self.gone = gone

    def run(self, begun: Begun, hold: Hold) -> None:
        """Push until nothing waits, the endpoint fails for good, or the turn is over.

        Raises `StorageUnavailableError`; what was leased is given back by the next turn.
        """
        if begun.after_death:
            self.take_back(begun.webhook.agent_id)
        turn = _Turn(self, begun.webhook, hold)
        with self.posting.to(begun.webhook) as post:
            turn.push(post)
        hold.succeeded_at = turn.succeeded_at

    def take_back(self, agent: AgentId) -> int:
        """Return what a pusher holds, uncounted: it died, or stops before it could be posted."""
        return self.inboxes.give_back(
            agent, [_held(one.lease) for one in self.inboxes.held(agent, HOLDER) if one.lease]
        )


class _Turn:
    """The state of one turn."""

    def __init__(self, pushing: Pushing, webhook: Webhook, hold: Hold) -> None:
        self._pushing = pushing
        self._webhook = webhook
        self._agent = webhook.agent_id
        self._hold = hold
        self._breaker = webhook.breaker
        self._ends_at = time.monotonic() + _TURN_SECONDS
        self._is_over = False
        self.succeeded_at: int | None = None

    def push(self, post: Post) -> None:
        batch = 1
        while self._goes_on():
            delivered = self._lease(batch)
            if not delivered:
                return
            began = time.monotonic()
            self._post_all(delivered, post)
            quick = time.monotonic() - began < _QUICK_SECONDS
            batch = min(2 * batch, _BATCH) if quick else 1

    def _goes_on(self) -> bool:
        return not self._is_over and not self._hold.is_lost and time.monotonic() < self._ends_at

    def _lease(self, limit: int) -> list[Delivered]:
        now, policy = self._pushing.clock(), self._pushing.policy.breaker
        state = self._breaker.state(now, policy)
        if state is BreakerState.OPEN:
            # The setting has become longer, or the clock went back.
            self._note(not_before=self._breaker.retry_at(policy) or 0)
            return []
        if state is BreakerState.HALF_OPEN:
            limit = 1
        request_ms = self._pushing.posting.timeout_ms(self._webhook)
        lease_ms = limit * request_ms + _LEASE_MARGIN_MS
        return self._pushing.inboxes.lease(
            self._agent,
            Wanted(limit=limit),
            lease_ms=min(lease_ms, self._pushing.max_lease_ms),
            holder=HOLDER,
        )

    def _post_all(self, batch: Sequence[Delivered], post: Post) -> None:
        for index, one in enumerate(batch):
            if index and not self._goes_on():
                self._give_back(batch[index:])
                return
            if one.lease is not None and not self._settle(one.lease, post(one)):
                self._give_back(batch[index:])
                return

    def _settle(self, lease: Lease, verdict: Verdict) -> bool:
        """Carry a verdict out; False if the message stays as it is, and the turn ends."""
        match verdict.outcome:
            case Outcome.DELIVERED:
                self._delivered(lease)
            case Outcome.FAILED | Outcome.REFUSED:
                self._failed(lease, verdict)
            case Outcome.PAUSED:
                self._pause(verdict)
                return False
            case Outcome.GONE:
                self._is_over = True
                self._pushing.gone(self._webhook, verdict.reason)
                return False
        return True

    def _delivered(self, lease: Lease) -> None:
        inboxes = self._pushing.inboxes
        try:
            inboxes.acknowledge(self._agent, lease.message_id, lease.token)
        except (StaleLeaseError, MessageNotFoundError) as error:
            _log.info("push.was_too_late", agent=self._agent, error=error.detail)
        except ConflictError:
            # The endpoint may claim it only now, and so hold it by another lease.
            with suppress(StaleLeaseError, MessageNotFoundError):
                inboxes.reject(self._agent, lease.message_id, lease.token, delay_ms=_AGAIN_MS)
        self.succeeded_at = self._pushing.clock()
        if self._breaker.failures:
            self._breaker = self._breaker.after_success()
            self._note(not_before=0)

    def _failed(self, lease: Lease, verdict: Verdict) -> None:
        now, policy = self._pushing.clock(), self._pushing.policy.breaker
        try:
            self._pushing.inboxes.reject(
                self._agent,
                lease.message_id,
                lease.token,
                reason=verdict.reason,
                permanent=verdict.outcome is Outcome.REFUSED,
            )
        except (StaleLeaseError, MessageNotFoundError) as error:
            _log.info("push.was_too_late", agent=self._agent, error=error.detail)
        self._breaker = self._breaker.after_failure(now, policy)
        self._is_over = self._breaker.opened_at is not None
        self._note(
            not_before=self._breaker.retry_at(policy) or 0,
            failure=Failure(at=now, reason=verdict.reason),
        )

    def _pause(self, verdict: Verdict) -> None:
        now = self._pushing.clock()
        self._is_over = True
        self._note(
            not_before=now + verdict.pause_ms, failure=Failure(at=now, reason=verdict.reason)
        )

    def _note(self, *, not_before: int, failure: Failure | None = None) -> None:
        self._pushing.store.note(
            self._agent, self._hold.token, self._breaker, not_before=not_before, failure=failure
        )

    def _give_back(self, rest: Sequence[Delivered]) -> None:
        self._pushing.inboxes.give_back(
            self._agent, [_held(one.lease) for one in rest if one.lease is not None]
        )


def _held(lease: Lease) -> Acknowledgement:
    return Acknowledgement(message_id=lease.message_id, token=lease.token)
