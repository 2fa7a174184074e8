"""Keys: create_key.lua, create_admin_key.lua, rotate_key.lua, revoke_key.lua, note_key_use.lua."""

import pytest

from broker.kernel.errors import (
    BrokerError,
    ConflictError,
    InvalidFieldsError,
    KeyNotFoundError,
    StorageFullError,
)
from broker.kernel.ids import AgentId, KeyId
from broker.security.api_keys import ApiKeys, Issued, NewKey
from broker.security.invitations import NewInvitation
from broker.security.key_record import KeyState
from broker.security.key_store import KeyStore
from broker.security.key_use import EVERY_MS, KeyUse
from broker.security.principal import Principal
from broker.wiring import Broker, build_broker
from tests.conftest import MakeSettings
from tests.redis.racing import race, succeeded
from tests.redis.servers import binary_for, running
from tests.waiting import until

HOUR_MS = 3_600_000
NOBODYS = KeyId("key_0000000000000000000000000A")


class Desk:
    """The register of keys of a broker, at a time that the test says."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.now = 1_800_000_000_000
        self.store = KeyStore(broker.redis, broker.keys, activity_cap=100)
        self.keys = ApiKeys(self.store, KeyUse(self.store.note_use), lambda: self.now)

    def issue(self, *scopes: str, **wanted: int) -> Issued:
        return self.keys.create(
            NewKey(name="a key", scopes=scopes or ("agent:bob",), **wanted), created_by="key_boss"
        )

    def opens(self, token: str) -> Principal | None:
        return self.keys.opened_by(token)

    def everything(self) -> str:
        """All that Redis holds of this station, as text."""
        redis, found = self.broker.redis, []
        for key in redis.client.scan_iter(match=f"{{{self.broker.keys.namespace}*", count=1000):
            kind = redis.command("TYPE", key)
            read = {
                b"hash": ("HGETALL", key),
                b"zset": ("ZRANGE", key, 0, -1),
                b"set": ("SMEMBERS", key),
                b"string": ("GET", key),
                b"list": ("LRANGE", key, 0, -1),
                b"stream": ("XRANGE", key, "-", "+"),
            }[kind]
            found.append(f"{key!r} {redis.command(*read)!r}")
        return "\n".join(found)


@pytest.fixture
def desk(broker: Broker) -> Desk:
    return Desk(broker)


def test_a_token_opens_the_key_that_it_was_given_out_for(desk: Desk) -> None:
    issued = desk.issue("agent:bob", "operator")

    principal = desk.opens(issued.token)

    assert principal is not None
    assert principal.agents == {AgentId("bob")}
    assert principal.is_operator
    assert not principal.is_admin
    kept = desk.keys.get(issued.key.id)
    assert (kept.name, kept.created_by, kept.created_at) == ("a key", "key_boss", desk.now)


def test_a_changed_token_opens_nothing(desk: Desk) -> None:
    token = desk.issue().token
    other = desk.issue().token

    for changed in (token[:-1] + "_~"[token[-1] == "_"], token[:30] + other[30:], token[:-1], ""):
        assert desk.opens(changed) is None


def test_redis_holds_no_token(desk: Desk) -> None:
    tokens = [desk.issue().token, desk.issue("admin").token]
    rotated = desk.keys.rotate(desk.issue().key.id, overlap_ms=HOUR_MS)

    held = desk.everything()

    assert "api_key" in held
    for token in (*tokens, rotated.token):
        assert token not in held
        assert token[-43:] not in held


def test_a_key_ends_when_it_was_said_to(desk: Desk) -> None:
    token = desk.issue(expires_in_ms=1000).token

    desk.now += 999
    assert desk.opens(token) is not None
    desk.now += 1

    assert desk.opens(token) is None


def test_an_end_in_the_past_and_unknown_scopes_are_refused(desk: Desk) -> None:
    with pytest.raises(InvalidFieldsError):
        desk.issue(expires_at=desk.now)
    with pytest.raises(InvalidFieldsError):
        desk.issue("agent:system")


def test_a_revoked_key_opens_nothing_and_stays_in_the_list(desk: Desk) -> None:
    issued = desk.issue()
    desk.now += 5

    desk.keys.revoke(issued.key.id)
    desk.now += 5
    again = desk.keys.revoke(issued.key.id)

    assert desk.opens(issued.token) is None
    assert again.state(desk.now) is KeyState.REVOKED
    assert again.revoked_at == desk.now - 5
    assert [key.id for key in desk.keys.find(limit=10)[0]] == [issued.key.id]
    assert int(desk.broker.redis.command("PTTL", desk.broker.keys.api_key(issued.key.id))) > 0


def test_a_key_that_there_is_not_can_be_neither_shown_nor_changed(desk: Desk) -> None:
    for call in (desk.keys.get, desk.keys.revoke):
        with pytest.raises(KeyNotFoundError):
            call(NOBODYS)
    with pytest.raises(KeyNotFoundError):
        desk.keys.rotate(NOBODYS, overlap_ms=0)


def test_after_a_rotation_the_old_secret_goes_on_for_the_overlap_only(desk: Desk) -> None:
    issued = desk.issue()

    rotated = desk.keys.rotate(issued.key.id, overlap_ms=1000)

    assert rotated.key.id == issued.key.id
    assert desk.opens(rotated.token) is not None
    assert desk.opens(issued.token) is not None
    desk.now += 1000
    assert desk.opens(issued.token) is None
    assert desk.opens(rotated.token) is not None


def test_without_an_overlap_the_old_secret_ends_at_once(desk: Desk) -> None:
    issued = desk.issue()
    with_overlap = desk.keys.rotate(issued.key.id, overlap_ms=HOUR_MS)

    last = desk.keys.rotate(issued.key.id, overlap_ms=0)

    assert desk.opens(issued.token) is desk.opens(with_overlap.token) is None
    assert desk.opens(last.token) is not None


def test_what_has_ended_is_not_rotated_back_to_life(desk: Desk) -> None:
    revoked, expired = desk.issue(), desk.issue(expires_in_ms=1000)
    desk.keys.revoke(revoked.key.id)
    desk.now += 1000

    for ended in (revoked, expired):
        with pytest.raises(ConflictError):
            desk.keys.rotate(ended.key.id, overlap_ms=0)


def test_of_many_rotations_at_once_whoever_gets_a_token_can_use_it(desk: Desk) -> None:
    for _ in range(10):
        issued = desk.issue()

        results = race(*[lambda: desk.keys.rotate(issued.key.id, overlap_ms=0)] * 8)  # noqa: B023

        opening = [one for one in succeeded(results) if desk.opens(one.token)]
        assert len(opening) == 1
        assert desk.opens(issued.token) is None


def test_a_key_that_is_revoked_while_it_is_rotated_stays_revoked(desk: Desk) -> None:
    for _ in range(20):
        issued = desk.issue()

        results = race(
            lambda: desk.keys.rotate(issued.key.id, overlap_ms=HOUR_MS),  # noqa: B023
            lambda: desk.keys.revoke(issued.key.id),  # noqa: B023
        )

        assert desk.opens(issued.token) is None
        if not isinstance(results[0], BrokerError):
            assert desk.opens(results[0].token) is None


def test_the_first_admin_key_is_made_once_however_many_start_together(desk: Desk) -> None:
    results = race(*[desk.keys.create_first] * 8)

    (first,) = [one for one in results if one is not None]
    principal = desk.opens(first.token)
    assert principal is not None
    assert principal.is_admin
    assert desk.keys.create_first() is None


def test_there_is_no_first_key_once_an_admin_made_one_even_if_it_was_revoked(desk: Desk) -> None:
    desk.issue("operator")
    made = desk.issue("admin")
    desk.keys.revoke(made.key.id)

    assert desk.keys.create_first() is None


def test_keys_are_listed_newest_first_page_by_page(desk: Desk) -> None:
    made = []
    for _ in range(7):
        desk.now += 1
        made.append(desk.issue().key.id)

    seen, cursor = [], None
    while True:
        page, cursor = desk.keys.find(limit=3, before=cursor)
        seen += [key.id for key in page]
        if cursor is None:
            break

    assert seen == made[::-1]


def test_the_use_of_a_key_is_noted_once_a_minute(desk: Desk) -> None:
    issued = desk.issue()
    begun = desk.now

    def used_at() -> int | None:
        return desk.keys.get(issued.key.id).last_used_at

    desk.opens(issued.token)
    until(used_at, within=10, what="the use is noted")
    desk.now += EVERY_MS - 1
    desk.opens(issued.token)
    assert used_at() == begun
    desk.now += 1
    desk.opens(issued.token)

    until(lambda: used_at() == begun + EVERY_MS, within=10, what="the next use is noted")


def test_noting_a_use_neither_goes_back_nor_brings_a_key_back(desk: Desk) -> None:
    issued = desk.issue()

    desk.store.note_use({issued.key.id: 20, NOBODYS: 20})
    desk.store.note_use({issued.key.id: 10})

    assert desk.keys.get(issued.key.id).last_used_at == 20
    assert desk.store.read([NOBODYS]) == [None]


def test_every_move_of_a_key_is_an_event(desk: Desk) -> None:
    issued = desk.issue()
    desk.keys.rotate(issued.key.id, overlap_ms=0)
    desk.keys.revoke(issued.key.id)

    held = desk.everything()

    for event in ("key.created", "key.rotated", "key.revoked"):
        assert event in held


def test_a_full_redis_still_knows_keys_and_ends_them(
    request: pytest.FixtureRequest, settings: MakeSettings
) -> None:
    with running(binary_for(request.config.getoption("--redis"))) as server:
        chosen = settings(redis_url=server.url, jobs_redis_url=server.url, auth="required")
        broker = build_broker(chosen)
        broker.prepare()
        kept = NewKey(name="kept", scopes=("agent:bob",))
        issued = broker.identity.keys.create(kept, created_by="key_boss")
        anybody = NewInvitation(pattern="*", uses=1, expires_in_ms=HOUR_MS)
        invited = broker.identity.invitations.create(anybody, created_by="key_boss")

        with server.client() as client:
            client.config_set("maxmemory", 1)

        with pytest.raises(StorageFullError):
            broker.identity.keys.create(kept, created_by="key_boss")
        assert broker.identity.keys.opened_by(issued.token) is not None
        broker.identity.keys.revoke(issued.key.id)
        assert broker.identity.keys.opened_by(issued.token) is None
        revoked = broker.identity.invitations.revoke(invited.invitation.id)
        assert revoked.revoked_at is not None
        broker.redis.client.close()
        broker.jobs.client.close()
