"""Newcomers: enrol.lua, create_invitation.lua, use_invitation.lua, revoke_invitation.lua."""

import pytest

from broker.directory.agents import Agents, Presence, Registered
from broker.kernel.errors import (
    AgentTakenError,
    ForbiddenError,
    InvalidFieldsError,
    InvitationNotFoundError,
    StorageUnavailableError,
    UnauthenticatedError,
)
from broker.kernel.ids import AgentId, InvitationId
from broker.security.api_keys import NewKey
from broker.security.enrolment import Admission
from broker.security.invitations import Invited, NewInvitation
from broker.security.principal import ANYONE, Principal
from broker.security.scopes import principal_of
from broker.wiring import Broker
from tests.conftest import MakeBroker
from tests.redis.racing import race, succeeded

CAROL = AgentId("carol")


class Gate:
    """The way in of a station that asks for tokens."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.identity = broker.identity

    @property
    def agents(self) -> Agents:
        return self.broker.agents

    def invite(self, pattern: str = "*", uses: int = 1, ms: int = 60_000) -> Invited:
        wanted = NewInvitation(pattern=pattern, uses=uses, expires_in_ms=ms)
        return self.identity.invitations.create(wanted, created_by="key_boss")

    def register(
        self, agent: str, invitation: str | None = None, caller: Principal | None = None
    ) -> tuple[Registered, str | None]:
        admission = self.identity.enrolment.admit(caller, AgentId(agent), invitation)
        return self.found(agent, admission), admission.token

    def found(self, agent: str, admission: Admission) -> Registered:
        return self.agents.register(
            AgentId(agent), {}, present=admission.present, founding=admission.founding
        )

    def opens(self, token: str | None) -> Principal:
        return self.identity.identities.of(token)


@pytest.fixture
def closed(make_broker: MakeBroker) -> Gate:
    return Gate(make_broker(auth="required"))


@pytest.fixture
def gate(make_broker: MakeBroker) -> Gate:
    """Open to everybody."""
    return Gate(make_broker(auth="required", registration="open"))


@pytest.fixture
def by_invitation(make_broker: MakeBroker) -> Gate:
    return Gate(make_broker(auth="required", registration="invitation"))


def test_a_closed_station_lets_in_who_has_a_key_for_the_agent(closed: Gate) -> None:
    for caller in (
        principal_of("key_x", ["agent:carol"], None),
        principal_of("key_x", ["operator"], None),
        principal_of("key_x", ["admin"], None),
        ANYONE,
    ):
        registered, token = closed.register("carol", caller=caller)

        assert registered.agent.id == CAROL
        assert token is None


def test_an_agent_that_an_operator_registers_is_not_there_before_it_acts(closed: Gate) -> None:
    operator = principal_of("key_x", ["operator"], None)

    registered, _ = closed.register("carol", caller=operator)
    itself, _ = closed.register("carol", caller=principal_of("key_y", ["agent:carol"], None))

    assert registered.agent.presence is Presence.OFFLINE
    assert itself.agent.presence is Presence.ONLINE


def test_a_closed_station_lets_nobody_else_in(closed: Gate) -> None:
    invitation = closed.invite().token

    for offered in (None, invitation):
        with pytest.raises(UnauthenticatedError):
            closed.register("carol", offered)
        with pytest.raises(ForbiddenError):
            closed.register("carol", offered, principal_of("key_x", ["agent:bob"], None))


def test_whoever_registers_at_an_open_station_gets_a_key_for_just_that_agent(gate: Gate) -> None:
    registered, token = gate.register("carol")

    assert registered.created
    assert gate.opens(token).agents == {CAROL}
    assert not gate.opens(token).is_operator


def test_an_id_that_is_registered_is_taken(gate: Gate) -> None:
    gate.agents.register(CAROL, {})

    with pytest.raises(AgentTakenError):
        gate.register("carol")


@pytest.mark.parametrize("agent", ["user", "system"])
def test_the_agents_that_always_exist_are_taken(gate: Gate, agent: str) -> None:
    with pytest.raises(AgentTakenError):
        gate.register(agent)


def test_a_reserved_id_is_refused_and_leaves_no_key(gate: Gate) -> None:
    with pytest.raises(InvalidFieldsError):
        gate.register("broadcast")

    assert gate.identity.keys.find(limit=10) == ([], None)


def test_an_id_that_somebodys_key_speaks_for_is_taken_until_that_key_is_revoked(gate: Gate) -> None:
    """Also before it registers, and after it was deleted: a key stays its holder's."""
    wanted = NewKey(name="both", scopes=("agent:bob", "agent:carol"))
    issued = gate.identity.keys.create(wanted, created_by="key_boss")

    for agent in ("bob", "carol"):
        with pytest.raises(AgentTakenError):
            gate.register(agent)
    gate.identity.keys.revoke(issued.key.id)

    assert gate.register("carol")[1]


def test_a_deleted_agent_comes_back_with_its_key_and_nobody_else_takes_its_id(gate: Gate) -> None:
    _, token = gate.register("carol")
    gate.agents.delete(CAROL)

    with pytest.raises(AgentTakenError):
        gate.register("carol")
    registered, new_token = gate.register("carol", caller=gate.opens(token))

    assert registered.created
    assert new_token is None


def test_of_many_who_register_one_id_at_once_one_gets_it_and_its_key(gate: Gate) -> None:
    for number in range(10):
        agent = f"agent-{number}"

        results = race(*[lambda: gate.register(agent)] * 8)  # noqa: B023

        ((_, token),) = succeeded(results)
        assert gate.opens(token).agents == {AgentId(agent)}
        assert all(isinstance(one, AgentTakenError | tuple) for one in results)
    assert len(gate.identity.keys.find(limit=100)[0]) == 10


def test_an_invitation_lets_in_as_many_as_it_says(by_invitation: Gate) -> None:
    invited = by_invitation.invite("build-*", uses=2)

    tokens = [by_invitation.register(f"build-{number}", invited.token)[1] for number in (1, 2)]
    with pytest.raises(ForbiddenError):
        by_invitation.register("build-3", invited.token)

    assert by_invitation.opens(tokens[0]).agents == {AgentId("build-1")}
    shown = by_invitation.identity.invitations.get(invited.invitation.id)
    assert (shown.used, shown.uses) == (2, 2)
    (newest, _) = by_invitation.identity.keys.find(limit=1)[0][0], None
    assert newest.created_by == invited.invitation.id


def test_without_an_invitation_nobody_gets_in(by_invitation: Gate) -> None:
    with pytest.raises(UnauthenticatedError):
        by_invitation.register("carol")


def test_every_invitation_that_does_not_hold_is_refused_alike(by_invitation: Gate) -> None:
    for_bob = by_invitation.invite("bob").token
    revoked = by_invitation.invite()
    by_invitation.identity.invitations.revoke(revoked.invitation.id)
    by_invitation.identity.invitations.revoke(revoked.invitation.id)
    over = by_invitation.invite(ms=-1).token
    used = by_invitation.invite()
    by_invitation.register("dave", used.token)
    guessed = for_bob[:-1] + "_~"[for_bob[-1] == "_"]

    details = set()
    for token in (for_bob, revoked.token, over, used.token, guessed, "wsi_nonsense", ""):
        with pytest.raises(ForbiddenError) as caught:
            by_invitation.register("carol", token)
        details.add(caught.value.detail)

    assert len(details) == 1


def test_of_many_who_use_one_invitation_at_once_as_many_get_in_as_it_says(
    by_invitation: Gate,
) -> None:
    invited = by_invitation.invite(uses=3)
    calls = [
        lambda number=number: by_invitation.register(f"agent-{number}", invited.token)
        for number in range(12)
    ]

    results = race(*calls)

    assert len(succeeded(results)) == 3
    assert by_invitation.identity.invitations.get(invited.invitation.id).used == 3


def test_an_invitation_that_is_used_by_many_for_one_id_counts_once(by_invitation: Gate) -> None:
    invited = by_invitation.invite(uses=2)

    results = race(*[lambda: by_invitation.register("carol", invited.token)] * 8)

    assert len(succeeded(results)) == 1
    assert by_invitation.identity.invitations.get(invited.invitation.id).used == 1


def test_who_died_between_the_invitation_and_the_registration_can_go_on(
    by_invitation: Gate,
) -> None:
    invited = by_invitation.invite()
    by_invitation.identity.invitations.use(invited.token, CAROL)  # and then kill -9

    registered, token = by_invitation.register("carol", invited.token)

    assert registered.created
    assert by_invitation.opens(token).agents == {CAROL}


def test_a_taken_id_uses_up_no_invitation(by_invitation: Gate) -> None:
    by_invitation.agents.register(CAROL, {})
    invited = by_invitation.invite()

    with pytest.raises(AgentTakenError):
        by_invitation.register("carol", invited.token)

    assert by_invitation.identity.invitations.get(invited.invitation.id).used == 0


def test_an_invitation_that_there_is_not_can_be_neither_shown_nor_revoked(
    by_invitation: Gate,
) -> None:
    nobodys = InvitationId("inv_0000000000000000000000000A")

    for call in (by_invitation.identity.invitations.get, by_invitation.identity.invitations.revoke):
        with pytest.raises(InvitationNotFoundError):
            call(nobodys)


def test_invitations_are_listed_newest_first_page_by_page(by_invitation: Gate) -> None:
    made = [by_invitation.invite().invitation.id for _ in range(5)]

    first, cursor = by_invitation.identity.invitations.find(limit=3)
    rest, end = by_invitation.identity.invitations.find(limit=3, before=cursor)

    assert [one.id for one in (*first, *rest)] == sorted(made, reverse=True)
    assert end is None


def test_a_founding_that_fails_leaves_neither_agent_nor_key(gate: Gate) -> None:
    admission = gate.identity.enrolment.admit(None, CAROL, None)

    def interrupted(*_: object) -> object:
        raise StorageUnavailableError("away")

    with pytest.raises(StorageUnavailableError):
        gate.agents.register(CAROL, {}, founding=interrupted)  # type: ignore[arg-type]
    with pytest.raises(UnauthenticatedError):
        gate.opens(admission.token)
    assert gate.found("carol", admission).created
    assert gate.opens(admission.token).agents == {CAROL}
