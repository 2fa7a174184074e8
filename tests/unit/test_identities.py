"""Who bears a token: each kind in turn, remembered for a second."""

import pytest

from broker.kernel.errors import UnauthenticatedError
from broker.security.identities import REMEMBERED_SECONDS, Identities
from broker.security.principal import ANYONE, Principal

BOB = Principal(name="bob")


class Door:
    """Identities over tokens that a test makes up; it counts how often one was looked up."""

    def __init__(self, *, required: bool = True, admin_token: str | None = None) -> None:
        self.now = 1_000.0
        self.known = {"bob's": BOB}
        self.looked_up: list[str] = []
        self.identities = Identities(
            (self._look_up,),
            required=required,
            admin_token=admin_token,
            clock=lambda: round(self.now * 1000),
            monotonic=lambda: self.now,
        )

    def _look_up(self, token: str) -> Principal | None:
        self.looked_up.append(token)
        return self.known.get(token)

    def refuses(self, token: str | None) -> str:
        with pytest.raises(UnauthenticatedError) as caught:
            self.identities.of(token)
        return caught.value.detail


def test_where_no_token_is_asked_for_everybody_is_anyone() -> None:
    door = Door(required=False)

    assert door.identities.of(None) is ANYONE
    assert door.identities.of("whatever") is ANYONE
    assert door.looked_up == []


def test_a_token_proves_its_bearer() -> None:
    assert Door().identities.of("bob's") is BOB


def test_every_refusal_is_the_same() -> None:
    door = Door(admin_token="a" * 32)

    tokens = [None, "", "eve's", "x" * 100_000, "a" * 31]

    assert len({door.refuses(token) for token in tokens}) == 1


def test_the_admins_own_token_makes_an_admin() -> None:
    door = Door(admin_token="the admin's")

    assert door.identities.of("the admin's").is_admin
    assert door.looked_up == []


def test_a_proof_is_remembered_for_a_second_and_then_asked_for_again() -> None:
    door = Door()
    for _ in range(10):
        door.identities.of("bob's")
    assert len(door.looked_up) == 1

    door.known.clear()
    door.now += REMEMBERED_SECONDS

    door.refuses("bob's")


def test_a_proof_that_ends_is_not_remembered_beyond_its_end() -> None:
    door = Door()
    door.known["bob's"] = Principal(name="bob", expires_at=round(door.now * 1000) + 100)
    door.identities.of("bob's")

    door.now += 0.1
    door.known.clear()

    door.refuses("bob's")


def test_what_did_not_hold_is_not_remembered() -> None:
    door = Door()
    door.refuses("eve's")

    door.known["eve's"] = Principal(name="eve")

    assert door.identities.of("eve's").name == "eve"


def test_the_memory_is_bounded() -> None:
    door = Door()
    for number in range(10_000):
        door.known[f"token-{number}"] = BOB
        door.identities.of(f"token-{number}")

    assert len(door.identities._known) < 5_000
