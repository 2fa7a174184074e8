"""The ledger's verdict: a kit that saw no fault anywhere would prove nothing."""

import pytest

from tests.process.ledger import Delivery, Ledger, Promise

pytestmark = pytest.mark.process


def accept(ledger: Ledger, *ids: str) -> None:
    for one in ids:
        ledger.promised(Promise(id=one, sender="a", to=("b",), priority="normal", sent_at=0))


def got(identifier: str, *, attempt: int = 1) -> Delivery:
    return Delivery(id=identifier, recipient="b", consumer="one", attempt=attempt)


def test_what_is_acknowledged_or_dead_is_in_order() -> None:
    ledger = Ledger()
    accept(ledger, "first", "second")

    ledger.delivered([got("first"), got("second"), got("second", attempt=2)])
    ledger.acknowledged(got("first"))

    assert ledger.faults(dead={("second", "b")}) == []


def test_what_has_no_verdict_is_lost() -> None:
    ledger = Ledger()
    accept(ledger, "first")

    assert ledger.faults(dead=set()) == ["lost: ('first', 'b')"]


def test_what_was_acknowledged_before_its_sender_had_an_answer_is_not_lost() -> None:
    ledger = Ledger()

    ledger.delivered([got("first")])
    ledger.acknowledged(got("first"))
    accept(ledger, "first")

    assert ledger.faults(dead=set()) == []


def test_what_is_delivered_after_its_acknowledgement_came_back() -> None:
    ledger = Ledger()
    accept(ledger, "first")

    ledger.acknowledged(got("first"))
    ledger.delivered([got("first"), got("first", attempt=2)])

    (fault,) = ledger.faults(dead=set())
    assert fault.startswith("came back")


def test_one_attempt_is_delivered_once() -> None:
    ledger = Ledger()
    accept(ledger, "first")

    ledger.delivered([got("first"), got("first")])
    ledger.acknowledged(got("first"))

    (fault,) = ledger.faults(dead=set())
    assert fault.startswith("delivered 2 times")


def test_what_nobody_was_promised_is_a_fault() -> None:
    ledger = Ledger()

    ledger.delivered([got("first")])

    (fault,) = ledger.faults(dead=set())
    assert fault.startswith("delivered, though nobody was promised it")


def test_first_deliveries_come_in_the_order_of_acceptance() -> None:
    ledger = Ledger()
    accept(ledger, "first", "second")

    ledger.delivered([got("second"), got("first")])
    ledger.acknowledged(got("first"))
    ledger.acknowledged(got("second"))

    (fault,) = ledger.faults(dead=set())
    assert fault.startswith("out of order")
