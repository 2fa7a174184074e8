"""What operators and admins do by the calls of the client."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.client.conftest import MakeName
from tests.waiting import until
from waystation import Station, each
from waystation.answers import DeadLetter
from waystation.errors import (
    ConflictError,
    DeadLetterClosedError,
    DeadLetterNotFoundError,
    DiscoveryNotFoundError,
    InvalidFieldsError,
    InvitationNotFoundError,
    KeyNotFoundError,
    RecurringEndedError,
    RecurringNotFoundError,
    WebhookNotFoundError,
)

pytestmark = pytest.mark.client

Pair = tuple[str, str]
ULID = "01K6ZQ3V9M8T4R2E7YXWBNDC05"


@pytest.fixture
def dead(caller: Station, pair: Pair) -> DeadLetter:
    """A message that its recipient rejected for good."""
    alice, bob = pair
    caller.messages.send(alice, bob, "impossible")
    (message,) = caller.messages.fetch(bob, wait_seconds=20).messages
    assert message.lease is not None
    caller.messages.nack(
        message.id,
        agent_id=bob,
        lease_token=message.lease.token,
        reason="can't be done",
        permanent=True,
    )
    (letter,) = caller.dead_letters.list(agent=bob, sender=alice, status="open").dead_letters
    return letter


def test_a_dead_letter_is_looked_at_and_tried_again_once(
    caller: Station, pair: Pair, dead: DeadLetter
) -> None:
    _, bob = pair
    assert dead.last_error == "can't be done"
    assert caller.dead_letters.get(dead.id).message_id == dead.message_id

    closed = caller.dead_letters.retry(dead.id)

    assert (closed.status, closed.message_id) == ("retried", dead.message_id)
    (message,) = caller.messages.fetch(bob, wait_seconds=20).messages
    assert message.id == dead.message_id
    with pytest.raises(DeadLetterClosedError):
        caller.dead_letters.retry(dead.id)


def test_the_case_of_a_dead_letter_is_closed(caller: Station, dead: DeadLetter) -> None:
    caller.dead_letters.resolve(dead.id, "done by hand")

    assert caller.dead_letters.get(dead.id).resolution == "done by hand"
    with pytest.raises(DeadLetterNotFoundError):
        caller.dead_letters.get(f"dlq_{ULID}")


def test_dead_letters_are_dealt_with_by_what_they_are(
    caller: Station, pair: Pair, dead: DeadLetter
) -> None:
    alice, bob = pair

    (retried,) = caller.dead_letters.retry_matching(agent=bob, sender=alice).results
    none = caller.dead_letters.resolve_matching("over", agent=bob, sender=alice).results

    assert (retried.id, retried.status) == (dead.id, "retried")
    assert none == []


def test_a_recurring_message_is_begun_paused_resumed_and_ended(caller: Station, pair: Pair) -> None:
    alice, bob = pair
    ends = datetime.now(UTC) + timedelta(days=1)

    begun = caller.recurring.create(
        alice,
        bob,
        "stand-up of {{date}}",
        schedule="0 9 * * *",
        timezone="Europe/Berlin",
        expires_at=ends,
        policy="catch_up",
        priority="high",
    )
    paused = caller.recurring.pause(begun.id)
    resumed = caller.recurring.resume(begun.id)
    times = caller.recurring.next_times(begun.id, count=3)

    assert (begun.timezone, begun.policy, begun.priority) == ("Europe/Berlin", "catch_up", "high")
    assert (paused.status, resumed.status) == ("paused", "active")
    assert times[0] == begun.next_at
    assert [one.id for one in caller.recurring.list(sender=alice).recurring] == [begun.id]
    assert caller.recurring.cancel(begun.id).status == "cancelled"
    assert caller.recurring.cancel(begun.id).status == "cancelled"
    assert caller.recurring.get(begun.id).ended_at is not None
    with pytest.raises(RecurringEndedError):
        caller.recurring.resume(begun.id)
    with pytest.raises(RecurringNotFoundError):
        caller.recurring.get(f"rec_{ULID}")


def test_what_became_of_a_recurring_message_is_told(caller: Station, pair: Pair) -> None:
    alice, bob = pair
    soon = datetime.now(UTC) + timedelta(seconds=1)
    begun = caller.recurring.create(alice, bob, "now", schedule=f"at:{soon.isoformat()}")

    def sent() -> bool:
        return caller.recurring.get(begun.id).sent == 1

    until(sent, within=20, what="the recurring message was sent")

    (turn,) = caller.recurring.history(begun.id).history
    assert turn.outcome == "sent"
    (message,) = caller.messages.fetch(bob, wait_seconds=20).messages
    assert message.id == turn.message_id


def test_a_key_is_made_rotated_and_ended(caller: Station, named: MakeName) -> None:
    issued = caller.keys.create(named("bob's"), ["agent:bob"], expires_in_seconds=600)
    rotated = caller.keys.rotate(issued.id, overlap_seconds=60)

    assert issued.token.startswith("wsk_")
    assert rotated.token != issued.token
    assert caller.keys.get(issued.id).rotated_at is not None
    assert issued.id in {one.id for one in each(caller.keys.list, limit=2)}
    assert caller.keys.revoke(issued.id).status == "revoked"
    with pytest.raises(ConflictError):
        caller.keys.rotate(issued.id)
    with pytest.raises(KeyNotFoundError):
        caller.keys.get(f"key_{ULID}")
    with pytest.raises(InvalidFieldsError):
        caller.keys.create("everything", ["all"])


def test_an_invitation_is_made_and_revoked(caller: Station, named: MakeName) -> None:
    invited = caller.invitations.create(
        pattern=f"{named('build')}-*", uses=3, expires_in_seconds=60
    )
    caller.invitations.create(agent_id=named("one"))

    assert invited.token.startswith("wsi_")
    assert caller.invitations.get(invited.id).uses == 3
    assert invited.id in {one.id for one in each(caller.invitations.list, limit=1)}
    assert caller.invitations.revoke(invited.id).status == "revoked"
    with pytest.raises(InvitationNotFoundError):
        caller.invitations.get(f"inv_{ULID}")


def test_a_webhook_is_set_tried_and_taken_away(caller: Station, pair: Pair) -> None:
    _, bob = pair
    hook = "https://bob.invalid/hook"

    first = caller.webhooks.set(bob, hook, timeout_seconds=2, headers={"X-Room": "7"})
    second = caller.webhooks.set(bob, hook)
    rotated = caller.webhooks.rotate_secret(bob, overlap_seconds=60)
    tried = caller.webhooks.test(bob)

    assert first.secret is not None
    assert second.secret is None
    assert rotated.secret != first.secret
    assert caller.webhooks.get(bob).url == hook
    assert tried.delivered is False
    caller.webhooks.delete(bob)
    with pytest.raises(WebhookNotFoundError):
        caller.webhooks.get(bob)


def test_a_search_is_asked_for_and_what_it_did_not_find_not_registered(
    caller: Station, named: MakeName
) -> None:
    assert caller.discovery.scan().status == "asked"

    assert all(one.machine for one in caller.discovery.reports())
    with pytest.raises(DiscoveryNotFoundError):
        caller.discovery.register([named("nobody")])


def test_the_station_says_how_it_fares(caller: Station, pair: Pair) -> None:
    caller.messages.send(*pair, "hi")

    assert caller.alive().status == "alive"
    assert caller.health.ready().status == "ready"
    assert 0 <= caller.health.score().score <= 100
    stats = caller.health.stats(inboxes=1)
    assert stats.totals["message.accepted"] >= 1
    assert len(stats.depth.deepest) <= 1
    until(
        lambda: caller.health.history(limit=1).reports, within=90, what="a health report was taken"
    )


def test_thresholds_are_set_and_go_back_to_what_they_were(caller: Station) -> None:
    before = caller.health.thresholds()

    changed = caller.health.set_thresholds(warning_latency_seconds=2)

    assert changed.warning_latency_seconds == 2
    assert caller.health.set_thresholds() == before
    with pytest.raises(InvalidFieldsError):
        caller.health.set_thresholds(warning_availability=7)


def test_who_asks_is_known(caller: Station) -> None:
    assert caller.me().is_admin
