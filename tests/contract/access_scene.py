"""What there is before a call is tried: an agent with its things, a stranger, and their keys."""

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.access import Caller
from broker.delivery.signature import new_secret
from broker.delivery.webhook import WebhookDefinition
from broker.kernel.ids import (
    AgentId,
    ChannelId,
    DeadLetterId,
    InvitationId,
    KeyId,
    MessageId,
    RecurringId,
    new_id,
)
from broker.messaging.dead_letters import DeadLetterFilter
from broker.messaging.recurring_definition import RecurringRequest
from broker.routing.channels import Definition
from broker.security.api_keys import Issued, NewKey
from broker.security.invitations import NewInvitation
from broker.wiring import Broker
from tests.redis.stage import HOUR_MS, Stage, token

# What a key is called by stands behind its hash tag, `{namespace:pNN}:` or `{namespace}:`.
_KEY = b"api_key"
_FOR_GOOD = -1
_MOMENT_MS = 10_000
_BUILT_IN = {b"", b"user", b"system"}
_ID = re.compile(r"\b[a-z]+_[0-7][0-9A-HJKMNP-TV-Z]{25}\b")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ask:
    """A call that is all right in itself: what stands in its path, its query and its body.

    `mark` is a text that an answer holds if, and only if, it tells of what is the agent's own.
    """

    path: Mapping[str, str] = dataclasses.field(default_factory=dict)
    query: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: object = None
    mark: str = ""


class Scene:
    """Agents that no other scene has. What is asked for is `agent`'s; `partner` is its partner.

    `stranger` has nothing to do with either.
    """

    def __init__(self, stage: Stage, client: FlaskClient, name: str) -> None:
        self.stage = stage
        self.broker: Broker = stage.broker
        self.agent = AgentId(f"agent-{name}")
        self.partner = AgentId(f"partner-{name}")
        self.stranger = AgentId(f"stranger-{name}")
        self._client = client
        self._tokens = {
            Caller.ANOTHER: issue(self.broker, f"agent:{self.stranger}").token,
            Caller.ITSELF: issue(self.broker, f"agent:{self.agent}").token,
            Caller.OPERATOR: issue(self.broker, "operator").token,
            Caller.ADMIN: issue(self.broker, "admin").token,
        }
        stage.register(self.agent, self.partner, self.stranger)

    # --- the agent's things -----------------------------------------------------------------

    def sent(self, **fields: Any) -> MessageId:
        """A message from the agent to its partner."""
        return self.stage.deliver(self.partner, self.agent, **fields)

    def received(self, **fields: Any) -> MessageId:
        """A message from the partner to the agent."""
        return self.stage.deliver(self.agent, self.partner, **fields)

    def leased(self, **fields: Any) -> tuple[MessageId, dict[str, str]]:
        """A message that the agent has fetched, and what finishing it takes."""
        self.received(**fields)
        delivered = self.stage.lease_one(self.agent)
        return delivered.message.id, {"agent_id": self.agent, "lease_token": token(delivered)}

    def claimed(self) -> tuple[MessageId, dict[str, str]]:
        """A message that the agent has claimed, and what it takes to do something with it."""
        held = self.broker.claims.claim(self.agent, self.received(claimable=True))
        return held.message.id, {"agent_id": self.agent, "lease_token": token(held)}

    def dead_letter(self) -> DeadLetterId:
        """One of a message that the agent could not handle."""
        message, held = self.leased()
        self.broker.inboxes.reject(
            self.agent,
            message,
            held["lease_token"],  # type: ignore[arg-type] # as it came
            permanent=True,
        )
        (letter,), _ = self.broker.dead_letters.find(DeadLetterFilter(agent_id=self.agent), limit=1)
        return letter.id

    def recurring(self) -> RecurringId:
        """A recurring message of the agent's."""
        template = self.stage.draft(self.partner, self.agent)
        request = RecurringRequest(template=template, schedule="interval:3600")
        return self.broker.recurring.create(request)[0].id

    def room(self, *, owner: AgentId | None = None, private: bool = True) -> ChannelId:
        """A channel of the agent's, of which nobody else is a member; its id looks as if given."""
        partition = self.broker.keys.partition_for(self.agent)
        identifier = ChannelId(new_id("room", at_ms=self.stage.now(), partition=partition))
        definition = Definition(id=identifier, owner=owner or self.agent, is_private=private)
        return self.broker.channels.create(definition)[0].id

    def key(self) -> KeyId:
        """A key of somebody's."""
        return issue(self.broker, f"agent:{self.partner}").key.id

    def invitation(self) -> InvitationId:
        """An invitation that an admin made."""
        wanted = NewInvitation(pattern="*", uses=1, expires_in_ms=HOUR_MS)
        return self.broker.identity.invitations.create(wanted, created_by="test").invitation.id

    def webhook(self) -> AgentId:
        """The agent, with a webhook that leads to where the station would not post."""
        agent, definition = AgentId(self.agent), WebhookDefinition(url="https://127.0.0.1/hook")
        self.broker.webhooks._store.put(agent, definition, new_secret(), 0)
        return agent

    # --- trying -----------------------------------------------------------------------------

    def call(self, caller: Caller, call: str, ask: Ask) -> TestResponse:
        """Have a caller carry out a call of the table, spelt `METHOD /path/{parameter}`."""
        return self.call_with(self._tokens.get(caller), call, ask)

    def call_with(self, token: str | None, call: str, ask: Ask) -> TestResponse:
        """Have whoever bears a token do so."""
        method, path = call.split(" ")
        options: dict[str, Any] = {} if ask.body is None else {"json": ask.body}
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self._client.open(
            path.format(**ask.path),
            method=method,
            query_string=dict(ask.query),
            headers=headers,
            **options,
        )

    def of_what_never_was(self, ask: Ask) -> Ask:
        """The same call, for a thing of an id that was never given out."""
        keys = self.broker.keys

        def another(found: re.Match[str]) -> str:
            prefix = found[0].partition("_")[0]
            return new_id(prefix, at_ms=self.stage.now(), partition=keys.partition_of(found[0]))

        return dataclasses.replace(
            ask,
            path={name: _ID.sub(another, value) for name, value in ask.path.items()},
            body=json.loads(_ID.sub(another, json.dumps(ask.body))),
        )

    # --- looking ----------------------------------------------------------------------------

    def snapshot(self) -> dict[bytes, object]:
        """All that the station holds, but for what ends by itself in a moment."""
        names = self._names()
        commands = [("HGETALL" if _kind(name) == _KEY else "DUMP", name) for name in names]
        left = [("PTTL", name) for name in names]
        answers = self.broker.redis.commands([*commands, *left])
        held = zip(names, answers[: len(names)], answers[len(names) :], strict=True)
        return {
            name: _without_use(value) if _kind(name) == _KEY else value
            for name, value, left_ms in held
            if value and (left_ms == _FOR_GOOD or left_ms > _MOMENT_MS)
        }

    def snapshot_of_others(self) -> dict[bytes, object]:
        """The same but for the stranger's own, its signs of life, and what stands in threads.

        A thread may name what never came to be stored.
        """
        return {
            name: held
            for name, held in self.snapshot().items()
            if _owner(name) != self.stranger.encode()
            and _kind(name) not in {b"heartbeats", b"thread"}
        }

    def forget(self) -> None:
        """Leave what is shared, such as indexes, and take the scene's own things away."""
        own = [name for name in self._names() if _owner(name) not in _BUILT_IN]
        self.broker.redis.commands([("DEL", name) for name in own])

    def _names(self) -> list[bytes]:
        pattern = f"{{{self.broker.keys.namespace}*"
        return list(self.broker.redis.client.scan_iter(match=pattern, count=1000))


def _kind(name: bytes) -> bytes:
    """What stands behind the hash tag of a key, `{namespace:pNN}:` or `{namespace}:`."""
    return name.partition(b"}:")[2].split(b":")[0]


def _owner(name: bytes) -> bytes:
    """Whose a key is: what stands behind its kind, nothing for one that all share."""
    return name.partition(b"}:")[2].partition(b":")[2]


def _without_use(key: Any) -> dict[bytes, bytes]:
    """A caller's key but for when it was last used, which is noted beside the call."""
    pairs = key.items() if isinstance(key, dict) else zip(key[::2], key[1::2], strict=True)
    return {field: value for field, value in pairs if field != b"last_used_at"}


def without_ids(response: TestResponse) -> str:
    """What an answer says, whatever it is about."""
    return _ID.sub("…", response.text)


def issue(broker: Broker, *scopes: str, **fields: Any) -> Issued:
    """Make a key."""
    wanted = NewKey(name="of a test", scopes=scopes, **fields)
    return broker.identity.keys.create(wanted, created_by="test")


MakeScene = Callable[[], Scene]
Prepare = Callable[[Scene], Ask]
