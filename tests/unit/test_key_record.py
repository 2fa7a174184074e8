"""Which token opens a key, and until when."""

import dataclasses

from broker.kernel.ids import AgentId, KeyId
from broker.security.key_record import ApiKey, KeyState

KEY = ApiKey(
    id=KeyId("key_x"),
    name="bob",
    scopes=("agent:bob",),
    created_at=0,
    created_by="station",
    digest="new",
)
ROTATED = dataclasses.replace(KEY, previous_digest="old", previous_until=100)


def test_the_secret_opens_the_key_and_another_does_not() -> None:
    principal = KEY.opened_by("new", 50)

    assert principal is not None
    assert principal.name == "key_x"
    assert principal.agents == {AgentId("bob")}
    assert principal.expires_at is None
    assert KEY.opened_by("other", 50) is None


def test_a_revoked_key_is_opened_by_nothing() -> None:
    revoked = dataclasses.replace(ROTATED, revoked_at=1)

    assert revoked.state(50) is KeyState.REVOKED
    assert [revoked.opened_by(one, 50) for one in ("new", "old", "")] == [None, None, None]


def test_a_secret_that_is_not_there_is_opened_by_no_empty_one() -> None:
    assert dataclasses.replace(KEY, digest=None).opened_by("", 50) is None


def test_after_a_rotation_the_old_secret_opens_it_until_the_overlap_ends() -> None:
    with_old = ROTATED.opened_by("old", 99)

    assert with_old is not None
    assert with_old.expires_at == 100
    assert ROTATED.opened_by("old", 100) is None
    assert ROTATED.opened_by("new", 100) is not None


def test_an_expired_key_is_opened_by_neither_secret() -> None:
    expiring = dataclasses.replace(ROTATED, expires_at=60)

    assert expiring.state(59) is KeyState.ACTIVE
    assert expiring.state(60) is KeyState.EXPIRED
    assert expiring.opened_by("new", 60) is expiring.opened_by("old", 60) is None


def test_a_proof_ends_with_whatever_ends_first() -> None:
    expiring = dataclasses.replace(ROTATED, expires_at=60)

    assert expiring.opened_by("old", 50) == expiring.opened_by("new", 50)
    assert getattr(expiring.opened_by("old", 50), "expires_at", None) == 60


def test_a_record_does_not_show_its_digests() -> None:
    assert "new" not in repr(ROTATED)
    assert "old" not in repr(ROTATED)
