"""What every face can do: the scenario that all others are made of."""

import pytest

from tests.contract.faces import Face, Refused

pytestmark = pytest.mark.contract


def test_a_message_goes_from_one_agent_to_another(face: Face, namespace: str) -> None:
    alice, bob = face.register(f"alice-{namespace}"), face.register(f"bob-{namespace}")

    sent = face.send(alice, bob, "please review PR 12")
    (message,) = face.fetch(bob)

    assert (message["id"], message["from"]) == (sent["id"], alice)
    assert face.ack(bob, message)["status"] == "acknowledged"
    assert face.nothing_for(bob)


def test_a_message_can_be_given_back(face: Face, namespace: str) -> None:
    alice, bob = face.register(f"alice-{namespace}"), face.register(f"bob-{namespace}")
    face.send(alice, bob)

    (message,) = face.fetch(bob)
    answer = face.nack(bob, message, reason="busy", delay_seconds=3600)

    assert answer["status"] == "waiting"


def test_a_refusal_says_why(face: Face, namespace: str) -> None:
    alice = face.register(f"alice-{namespace}")

    with pytest.raises(Refused) as refused:
        face.send(alice, f"nobody-{namespace}")

    assert (refused.value.status, refused.value.code) == (404, "unknown_agent")
