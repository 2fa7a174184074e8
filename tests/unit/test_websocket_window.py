"""Credit: how many unfinished messages one WebSocket client may hold."""

import pytest

from app.websocket.window import MAX_CREDIT, Window
from broker.kernel.ids import LeaseToken, MessageId
from broker.messaging.delivery import Lease

pytestmark = pytest.mark.unit

NOW = 1_000_000


def lease(name: str, *, token: str = "1-a", ends_at: int = NOW + 60_000) -> Lease:
    return Lease(message_id=MessageId(name), token=LeaseToken(token), attempt=1, expires_at=ends_at)


def test_each_pushed_message_takes_one_credit_until_it_is_finished() -> None:
    window = Window(2)

    window.push(lease("a"), kept=False)
    window.push(lease("b"), kept=False)
    assert window.free(NOW) == 0
    window.finish(MessageId("a"), LeaseToken("1-a"))

    assert window.free(NOW) == 1


def test_a_message_whose_lease_ended_takes_no_credit() -> None:
    window = Window(1)
    window.push(lease("a", ends_at=NOW + 5), kept=False)

    assert window.free(NOW + 4) == 0
    assert window.free(NOW + 5) == 1


def test_an_extended_lease_takes_its_credit_for_longer() -> None:
    window = Window(1)
    window.push(lease("a", ends_at=NOW + 5), kept=False)

    window.extend(MessageId("a"), LeaseToken("1-a"), NOW + 50)

    assert window.free(NOW + 10) == 0


def test_a_stale_token_changes_nothing() -> None:
    window = Window(1)
    window.push(lease("a", token="1-a"), kept=False)
    window.push(lease("a", token="2-b"), kept=False)

    window.finish(MessageId("a"), LeaseToken("1-a"))
    window.extend(MessageId("a"), LeaseToken("1-a"), NOW)

    assert window.free(NOW) == 0
    assert not window.holds(lease("a", token="1-a"))
    assert window.holds(lease("a", token="2-b"))


def test_credit_grows_up_to_the_limit() -> None:
    window = Window(990)

    window.widen(20)

    assert window.free(NOW) == MAX_CREDIT


def test_a_smaller_credit_leaves_nothing_free_until_enough_is_finished() -> None:
    window = Window(3)
    for name in "abc":
        window.push(lease(name), kept=False)

    window.credit = 2

    assert window.free(NOW) == 0
    window.finish(MessageId("a"), LeaseToken("1-a"))
    assert window.free(NOW) == 0
    window.finish(MessageId("b"), LeaseToken("1-a"))
    assert window.free(NOW) == 1


def test_only_what_no_instance_can_resume_is_given_back() -> None:
    window = Window(3)
    window.push(lease("anonymous"), kept=False)
    window.push(lease("of an instance"), kept=True)

    assert [one.message_id for one in window.to_give_back()] == ["anonymous"]
