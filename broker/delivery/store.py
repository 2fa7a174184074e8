"""Delivery's access to Redis: webhooks, who pushes to them, and their breakers.

All that belongs to an agent's webhook lies in the agent's partition, beside its inbox.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from broker.delivery.breaker import Breaker
from broker.delivery.signature import WebhookSecret
from broker.delivery.webhook import Webhook, WebhookDefinition
from broker.kernel.ids import AgentId, Partition
from broker.storage.connection import Command, Redis
from broker.storage.keys import Keys
from broker.storage.scripts import Argument, Call, Outcome, Script, whole

HOLD_MS: Final = 2_500
"""How long a pusher counts as living: half of the time in which its death must be made good."""

_LUA: Final = Path(__file__).parent / "lua"
_TRANSPORT: Final = "webhook"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An agent to whom something can be pushed now; `fails` if the last attempt did."""

    agent: AgentId
    fails: bool


@dataclass(frozen=True, kw_only=True)
class Begun:
    """The right to push to an agent; `after_death` of one that did so before."""

    webhook: Webhook
    after_death: bool


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What went wrong at a moment (ms)."""

    at: int
    reason: str


class WebhookStore:
    """Transitions of webhooks and pushes; each is one Lua file of `delivery/lua`."""

    def __init__(self, redis: Redis, keys: Keys, *, activity_cap: int) -> None:
        self._redis = redis
        self.keys = keys
        self._activity_cap = activity_cap
        self._scripts = {path.stem: Script.load(_LUA, path.stem) for path in _LUA.glob("*.lua")}

    # --- what an agent asks for -------------------------------------------------------------

    def put(
        self, agent: AgentId, definition: WebhookDefinition, secret: WebhookSecret, now: int
    ) -> str:
        """Set a webhook: `created` with this secret, `changed` with its own, `unknown_agent`."""
        return self._move(
            "put_webhook",
            agent,
            {"definition": msgspec.json.encode(definition), "secret": secret, "at": now},
        ).name

    def remove(self, agent: AgentId) -> bool:
        """Forget a webhook; False if there was none."""
        return self._move("remove_webhook", agent, {}).name == "removed"

    def disable(self, webhook: Webhook, because: str, now: int) -> bool:
        """Turn a webhook off until it is set again; False if it has been set since it was read."""
        arguments: dict[str, Argument] = {
            "because": because,
            "at": now,
            "as_of": webhook.changed_at,
        }
        return self._move("disable_webhook", webhook.agent_id, arguments).name == "disabled"

    def rotate(self, agent: AgentId, secret: WebhookSecret, *, old_until: int, now: int) -> bool:
        """Replace the secret, the old one being signed with until then; False without a webhook."""
        arguments: dict[str, Argument] = {"secret": secret, "old_until": old_until, "at": now}
        return self._move("rotate_secret", agent, arguments).name == "rotated"

    def read(self, agent: AgentId) -> Webhook | None:
        """An agent's webhook."""
        is_there, fields, breaker = self._redis.commands(
            [
                ("HEXISTS", self.keys.agent(agent), "webhook"),
                ("HGETALL", self.keys.webhook(agent)),
                ("HGETALL", self.keys.breaker(_TRANSPORT, agent)),
            ]
        )
        return _webhook(agent, _texts(fields), _texts(breaker)) if is_there and fields else None

    # --- pushing ----------------------------------------------------------------------------

    def candidates(self, partitions: Iterable[Partition], now: int) -> list[Candidate]:
        """Agents of these partitions with something to push whom nobody pushes to.

        Two trips, and two more if there are any.
        """
        found = self._redis.commands(
            [
                ("ZRANGEBYSCORE", self.keys.webhooks(partition), "-inf", now)
                for partition in partitions
            ]
        )
        agents = [AgentId(name.decode()) for names in found for name in names]
        waiting = self._those(
            agents,
            lambda agent: ("EXISTS", self.keys.inbox(agent)),
            # Where somebody died who pushed to it, all that it has may be leased.
            lambda agent: ("HEXISTS", self.keys.webhook(agent), "pushing"),
        )
        held = set(self._those(waiting, lambda agent: ("EXISTS", self.keys.pusher(agent))))
        free = [agent for agent in waiting if agent not in held]
        failing = set(
            self._those(free, lambda agent: ("EXISTS", self.keys.breaker(_TRANSPORT, agent)))
        )
        return [Candidate(agent=agent, fails=agent in failing) for agent in free]

    def begin(self, agent: AgentId, token: str) -> Begun | None:
        """Become the one who pushes to an agent; None if another does or its webhook is off."""
        outcome = self._move("begin_push", agent, {"token": token, "hold_ms": HOLD_MS})
        if outcome.name != "begun":
            return None
        died, fields, breaker = outcome.values
        return Begun(
            webhook=_webhook(agent, _texts(fields), _texts(breaker)), after_death=bool(died)
        )

    def renew(self, holds: Mapping[AgentId, str]) -> set[AgentId]:
        """Go on pushing to these agents, each with its token; to whom others may push now."""
        calls = [
            self._bind("renew_push", agent, {"token": token, "hold_ms": HOLD_MS})
            for agent, token in holds.items()
        ]
        outcomes = self._redis.call_many(calls)
        return {
            agent for agent, outcome in zip(holds, outcomes, strict=True) if outcome.name == "lost"
        }

    def end(self, agent: AgentId, token: str, succeeded_at: int | None) -> int:
        """Let others push to an agent; how many messages wait in its inbox."""
        outcome = self._move(
            "end_push",
            agent,
            {"token": token, "succeeded_at": "" if succeeded_at is None else succeeded_at},
        )
        return whole(outcome.values[0]) if outcome.name == "ended" else 0

    def note(
        self,
        agent: AgentId,
        token: str,
        breaker: Breaker,
        *,
        not_before: int,
        failure: Failure | None = None,
    ) -> None:
        """Note how a destination fares, and when (ms) it is tried next."""
        self._move(
            "note_attempt",
            agent,
            {
                "token": token,
                "failures": breaker.failures,
                "opened_at": "" if breaker.opened_at is None else breaker.opened_at,
                "not_before": not_before,
                "failed_at": "" if failure is None else failure.at,
                "failure": "" if failure is None else failure.reason,
            },
        )

    def _those(
        self, agents: Sequence[AgentId], *asked: Callable[[AgentId], Command]
    ) -> list[AgentId]:
        """The agents for whom one of these commands answers yes; one trip."""
        answers = self._redis.commands([ask(agent) for agent in agents for ask in asked])
        step = len(asked)
        return [
            agent
            for index, agent in enumerate(agents)
            if any(answers[index * step : (index + 1) * step])
        ]

    def _move(self, name: str, agent: AgentId, args: Mapping[str, Argument]) -> Outcome:
        return self._redis.call(self._bind(name, agent, args))

    def _bind(self, name: str, agent: AgentId, args: Mapping[str, Argument]) -> Call:
        script = self._scripts[name]
        partition = self.keys.partition_for(agent)
        keys = {
            "agent": self.keys.agent(agent),
            "inbox": self.keys.inbox(agent),
            "webhook": self.keys.webhook(agent),
            "pusher": self.keys.pusher(agent),
            "breaker": self.keys.breaker(_TRANSPORT, agent),
            "webhooks": self.keys.webhooks(partition),
            "counters": self.keys.counters(partition),
            "activity": self.keys.activity(partition),
        }
        arguments: dict[str, Argument] = {
            "agent_id": agent,
            "activity_cap": self._activity_cap,
            **args,
        }
        return script.bind(
            keys={name: keys[name] for name in script.key_names},
            args={name: arguments[name] for name in script.argument_names},
        )


def _webhook(agent: AgentId, fields: Mapping[str, str], breaker: Mapping[str, str]) -> Webhook:
    def moment(name: str) -> int | None:
        return int(fields[name]) if name in fields else None

    return Webhook(
        agent_id=agent,
        definition=msgspec.json.decode(fields["definition"], type=WebhookDefinition),
        secret=WebhookSecret(fields["secret"]),
        old_secret=WebhookSecret(fields["old_secret"]) if "old_secret" in fields else None,
        old_until=int(fields.get("old_until", 0)),
        breaker=Breaker(
            failures=int(breaker.get("failures", 0)),
            opened_at=int(breaker["opened_at"]) if "opened_at" in breaker else None,
        ),
        created_at=int(fields["created_at"]),
        changed_at=int(fields["changed_at"]),
        rotated_at=moment("rotated_at"),
        succeeded_at=moment("succeeded_at"),
        failed_at=moment("failed_at"),
        failure=fields.get("failure"),
        disabled_at=moment("disabled_at"),
        disabled_because=fields.get("disabled_because"),
    )


def _texts(reply: Any) -> dict[str, str]:  # noqa: ANN401 - HGETALL, in whichever form it comes
    parts: Sequence[bytes] = (
        [part for pair in reply.items() for part in pair] if isinstance(reply, dict) else reply
    )
    texts = [part.decode() for part in parts]
    return dict(zip(texts[::2], texts[1::2], strict=True))
