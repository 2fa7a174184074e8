"""Claiming what is offered to several, whichever way an agent talks to the station (SPEC R3)."""

import pytest

from tests.contract.conftest import Api
from tests.contract.faces import Document, Face, Refused
from tests.waiting import until

pytestmark = pytest.mark.contract


@pytest.fixture
def pool(face: Face, namespace: str) -> tuple[str, str, str]:
    """A sender, and two to whom it offers messages."""
    alice, bob, carol = (face.register(f"{name}-{namespace}") for name in ("alice", "bob", "carol"))
    return alice, bob, carol


def refused_code(refused: pytest.ExceptionInfo[Refused]) -> tuple[int, str]:
    return refused.value.status, refused.value.code


def can_claim(face: Face, agent: str, offer: Document) -> bool:
    try:
        face.claim(agent, offer)
    except Refused:
        return False
    return True


def test_the_first_who_claims_a_message_gets_it(face: Face, pool: tuple[str, str, str]) -> None:
    alice, bob, carol = pool
    sent = face.send(alice, [bob, carol], "one of you", claimable=True)
    (for_bob,), (for_carol,) = face.fetch(bob), face.fetch(carol)
    assert for_bob["claimable"] is for_carol["claimable"] is True

    claimed = face.claim(bob, for_bob)

    assert (claimed["body"], claimed["attempt"]) == ("one of you", 1)
    with pytest.raises(Refused) as refused:
        face.claim(carol, for_carol)
    assert refused_code(refused) == (409, "claim_held")
    assert face.ack(bob, claimed)["status"] == "acknowledged"
    face.settle()
    receipts = face.get(f"/messages/{sent['id']}/receipts")["receipts"]
    assert [one["status"] for one in receipts] == ["acknowledged", "taken"]
    assert face.nothing_for(carol)
    with pytest.raises(Refused) as refused:
        face.claim(carol, for_carol)
    assert refused_code(refused) == (409, "claim_done")


def test_who_comes_too_late_is_told_when_to_try_again(api: Api) -> None:
    api.register("carol")
    message = api.send(to=["bob", "carol"], claimable=True)
    claim = {"agent_id": "bob", "claim_seconds": 30}
    assert api.post(f"/messages/{message}/claim", claim).status_code == 200

    refused = api.post(f"/messages/{message}/claim", {"agent_id": "carol"})

    assert refused.status_code == 409
    assert 25 < int(refused.headers["Retry-After"]) <= 30


def test_a_message_says_whether_it_is_claimable(api: Api) -> None:
    offered, plain = api.send(claimable=True), api.send()

    assert api.get(f"/messages/{offered}").get_json()["claimable"] is True
    assert api.get(f"/messages/{plain}").get_json()["claimable"] is False
    assert ["claimable" in one for one in api.fetch()] == [True, False]
    assert api.get(f"/messages/{plain}/claim").get_json()["code"] == "not_claimable"


def test_the_lease_of_a_claim_is_not_extended_but_renewed(api: Api) -> None:
    message = api.send(claimable=True)
    claim = api.post(f"/messages/{message}/claim", {"agent_id": "bob"}).get_json()["claim"]

    held = {"agent_id": "bob", "lease_token": claim["token"], "seconds": 60}
    refused = api.post(f"/messages/{message}/extend", held)

    assert (refused.status_code, refused.get_json()["code"]) == (409, "renew_claim")


def test_an_offer_is_not_acknowledged_before_it_is_claimed(
    face: Face, pool: tuple[str, str, str]
) -> None:
    alice, bob, carol = pool
    face.send(alice, [bob, carol], claimable=True)
    (offer,) = face.fetch(bob)

    with pytest.raises(Refused) as refused:
        face.ack(bob, offer)

    assert refused_code(refused) == (409, "not_claimed")
    face.ack(bob, face.claim(bob, offer))


def test_a_claim_can_be_asked_for_again(face: Face, pool: tuple[str, str, str]) -> None:
    alice, bob, carol = pool
    face.send(alice, [bob, carol], claimable=True)
    (offer,) = face.fetch(bob)

    assert face.claim(bob, offer)["lease"] == face.claim(bob, offer)["lease"]


def test_a_released_claim_is_for_the_others(face: Face, pool: tuple[str, str, str]) -> None:
    alice, bob, carol = pool
    face.send(alice, [bob, carol], claimable=True)
    (for_bob,), (for_carol,) = face.fetch(bob), face.fetch(carol)
    claimed = face.claim(bob, for_bob)
    with pytest.raises(Refused):
        face.claim(carol, for_carol)

    assert face.release(bob, claimed)["status"] == "open"

    face.settle()
    (again,) = face.fetch(carol)
    face.ack(carol, face.claim(carol, again))
    with pytest.raises(Refused) as refused:
        face.release(bob, claimed)
    assert refused_code(refused) == (409, "stale_lease")


def test_a_claim_that_is_not_renewed_goes_to_another(
    face: Face, pool: tuple[str, str, str]
) -> None:
    alice, bob, carol = pool
    face.send(alice, [bob, carol], claimable=True)
    (for_bob,), (for_carol,) = face.fetch(bob), face.fetch(carol)
    held = face.claim(bob, for_bob, claim_seconds=1)

    until(lambda: can_claim(face, carol, for_carol), within=5, what="the claim comes free")

    for use in (face.ack, face.release):
        with pytest.raises(Refused) as refused:
            use(bob, held)
        assert refused_code(refused) == (409, "stale_lease")
    with pytest.raises(Refused) as refused:
        face.renew(bob, held, 60)
    assert refused_code(refused) == (409, "stale_lease")


def test_a_renewed_claim_lasts(face: Face, pool: tuple[str, str, str]) -> None:
    alice, bob, carol = pool
    sent = face.send(alice, [bob, carol], claimable=True)
    (offer,) = face.fetch(bob)
    held = face.claim(bob, offer, claim_seconds=10)

    renewed = face.renew(bob, held, 600)["claim"]

    assert renewed["token"] == held["lease"]["token"]
    assert renewed["expires_at"] > held["lease"]["expires_at"]
    shown = face.get(f"/messages/{sent['id']}/claim")
    assert shown == {
        "id": sent["id"],
        "status": "claimed",
        "agent_id": bob,
        "expires_at": renewed["expires_at"],
    }


def test_anybody_may_see_who_has_a_message_but_not_the_token(
    face: Face, pool: tuple[str, str, str]
) -> None:
    alice, bob, carol = pool
    sent = face.send(alice, [bob, carol], claimable=True)
    path = f"/messages/{sent['id']}/claim"
    assert face.get(path)["status"] == "open"
    (offer,) = face.fetch(bob)

    held = face.claim(bob, offer)

    assert held["lease"]["token"] not in str(face.get(path))
    face.ack(bob, held)
    face.settle()
    assert face.get(path)["status"] == "done"


def test_one_claims_only_what_one_is_offered(face: Face, pool: tuple[str, str, str]) -> None:
    alice, bob, carol = pool
    sent = face.send(alice, [bob], claimable=True)
    plain = face.send(alice, carol)

    for message, problem in ((sent, (404, "message_not_found")), (plain, (409, "not_claimable"))):
        with pytest.raises(Refused) as refused:
            face.claim(carol, message)
        assert refused_code(refused) == problem


def test_an_offer_is_declined_without_harm_to_the_others(
    face: Face, pool: tuple[str, str, str]
) -> None:
    alice, bob, carol = pool
    face.send(alice, [bob, carol], claimable=True)
    (for_bob,), (for_carol,) = face.fetch(bob), face.fetch(carol)

    assert face.nack(bob, for_bob, permanent=True)["status"] == "declined"

    face.ack(carol, face.claim(carol, for_carol))


def test_a_ticket_for_several_is_answered_by_who_claims_it(
    face: Face, pool: tuple[str, str, str]
) -> None:
    alice, bob, carol = pool
    asked = face.send(alice, [bob, carol], "who knows?", claimable=True, expects_reply=True)
    (for_bob,), _ = face.fetch(bob), face.fetch(carol)
    with pytest.raises(Refused) as refused:
        face.reply(bob, for_bob, "I do")
    assert refused_code(refused) == (409, "not_claimed")

    face.reply(bob, face.claim(bob, for_bob), "I do")

    face.settle()
    receipts = face.get(f"/messages/{asked['id']}/receipts")["receipts"]
    assert [one["status"] for one in receipts] == ["replied", "taken"]
