"""Agents: registration, sessions with epochs, heartbeats and presence (SPEC R7-R9)."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from broker.directory.store import AgentStore
from broker.kernel.clock import Clock
from broker.kernel.errors import (
    AgentTakenError,
    ConflictError,
    FieldProblem,
    InvalidFieldsError,
    StaleEpochError,
    StorageUnavailableError,
    UnknownAgentError,
)
from broker.kernel.ids import AgentId
from broker.storage.scripts import Argument, Outcome

BUILT_IN: Final[Mapping[AgentId, str]] = {AgentId("user"): "user", AgentId("system"): "system"}
"""Agents that always exist, are never reaped, and are reached by name only; with their kind."""

RESERVED: Final = frozenset({"broadcast", "auto"})
"""Ids that no agent may have."""
_TRIES: Final = 10
_NEAR: Final = 3


class AgentKind(StrEnum):
    """What an agent is (SPEC R7)."""

    PROVIDER = "provider"
    USER = "user"
    SYSTEM = "system"
    CHANNEL = "channel"
    ORCHESTRATOR = "orchestrator"


class Presence(StrEnum):
    """Whether an agent gave a sign of life lately (SPEC R9)."""

    ONLINE = "online"
    STALE = "stale"
    OFFLINE = "offline"


class OnFull(StrEnum):
    """What an inbox at its limit does with one more message (SPEC E12)."""

    REJECT = "reject"
    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"
    BLOCK = "block"


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What an agent says about itself."""

    name: str | None = None
    kind: AgentKind = AgentKind.PROVIDER
    label: str | None = None
    tags: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    machine: str | None = None
    cwd: str | None = None
    parent: AgentId | None = None
    ready: bool = True
    transport: str = "pull"
    operating_mode: str | None = None
    meta: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Agent:
    """A registered agent; times in ms, `last_seen` 0 for never.

    `max_depth` and `on_full` are None for the station's own.
    """

    id: AgentId
    profile: Profile
    presence: Presence
    reported_status: str | None
    instance_id: str | None
    epoch: int
    registered_at: int
    last_seen: int
    max_depth: int | None
    on_full: OnFull | None


@dataclass(frozen=True, kw_only=True)
class InboxLimits:
    """An agent's own limits for its inbox; None leaves them as they are."""

    max_depth: int | None = None
    on_full: OnFull | None = None


@dataclass(frozen=True, kw_only=True)
class Registered:
    """An agent after its registration; `created` is False for one that was known."""

    agent: Agent
    created: bool


Founding = Callable[[Mapping[str, str], Mapping[str, Argument]], Outcome]
"""Registers an agent that is new, with something of another context in the same step.

It gets the keys and arguments of `register.lua` by name. Its outcome is `created` or `taken`.
"""


class Agents:
    """The register of agents.

    `session_ended` is called when a newer session takes over, or the agent fell silent for the ms
    that it gets, `deleted` when an agent is gone, `admission_changed` when what it accepts is
    another now; each may be called twice.
    """

    def __init__(
        self,
        store: AgentStore,
        *,
        clock: Clock,
        stale_after_ms: int,
        offline_after_ms: int,
        session_ended: Callable[[AgentId, int | None], object],
        deleted: Callable[[AgentId], object],
        admission_changed: Callable[[AgentId], object],
    ) -> None:
        self._store = store
        self._clock = clock
        self._stale_after_ms = stale_after_ms
        self._offline_after_ms = offline_after_ms
        self._session_ended = session_ended
        self._deleted = deleted
        self._admission_changed = admission_changed

    def register(
        self,
        agent: AgentId,
        changes: Mapping[str, Any],
        *,
        instance_id: str | None = None,
        limits: InboxLimits = InboxLimits(),
        present: bool = True,
        founding: Founding | None = None,
    ) -> Registered:
        """Register an agent or renew it; `changes` are fields of `Profile`, the rest is kept.

        One that is not `present` is registered by somebody else, and stays offline until it acts.

        A new `instance_id` opens a new session: the epoch rises and what the older session held
        returns to the inbox. With `founding` the agent must be new. Raises `InvalidFieldsError`
        for a reserved id, `AgentTakenError` and what `founding` raises.
        """
        if agent in RESERVED:
            raise InvalidFieldsError([FieldProblem(field="id", message=f"{agent!r} is reserved")])
        for _ in range(_TRIES):
            stored = self._store.read([agent])[0]
            before = _profile(stored, agent)
            after = dataclasses.replace(before, **changes)
            if agent in BUILT_IN:
                after = dataclasses.replace(after, kind=AgentKind(BUILT_IN[agent]))
            if founding is not None and stored:
                raise _taken(agent)
            arguments: dict[str, Argument] = {
                "expected": stored.get("profile", ""),
                "profile": _dumps(after),
                "instance_id": instance_id or "",
                "max_depth": limits.max_depth or "",
                "on_full": limits.on_full or "",
                "present": int(present),
                "reaped": int(agent not in BUILT_IN),
            }
            if founding is None:
                outcome = self._store.move("register", agent, arguments)
            else:
                outcome = founding(*self._store.named(agent, arguments))
            if outcome.name == "taken":
                raise _taken(agent)
            if outcome.name == "new_session":
                self._session_ended(agent, None)
            self._admission_changed(agent)
            if outcome.name != "changed":
                return Registered(agent=self.get(agent), created=outcome.name == "created")
        raise StorageUnavailableError(
            f"Agent {agent} is being changed by many at once. Try again.", retry_after_seconds=1
        )

    def ensure_built_in(self) -> None:
        """Register the agents that always exist."""
        for agent, kind in BUILT_IN.items():
            if not self._store.read([agent])[0]:
                self.register(agent, {"kind": AgentKind(kind), "name": agent})

    def patch(
        self,
        agent: AgentId,
        changes: Mapping[str, Any],
        limits: InboxLimits = InboxLimits(),
    ) -> Agent:
        """Change fields of a registered agent. Raises `UnknownAgentError`.

        It is no sign of life, for an operator may do so as well.
        """
        self.get(agent)
        return self.register(agent, changes, limits=limits, present=False).agent

    def get(self, agent: AgentId) -> Agent:
        """One agent. Raises `UnknownAgentError` with near names."""
        found = self.known(agent)
        if found is None:
            raise UnknownAgentError([agent], self.near_names(agent))
        return found

    def known(self, agent: AgentId) -> Agent | None:
        """One agent, None where none is registered."""
        stored = self._store.read([agent])[0]
        return self._agent(agent, stored) if stored else None

    def find(
        self,
        *,
        limit: int,
        after: AgentId | None = None,
        accept: Callable[[Agent], bool] = lambda _: True,
    ) -> tuple[list[Agent], AgentId | None]:
        """Agents that `accept` takes, in the order of their ids, and where to go on."""
        names = [name for name in self._store.names() if after is None or name > after]
        agents: list[Agent] = []
        for start in range(0, len(names), 200):
            page = names[start : start + 200]
            for name, stored in zip(page, self._store.read(page), strict=True):
                if stored and accept(agent := self._agent(name, stored)):
                    agents.append(agent)
                    if len(agents) > limit:
                        return agents[:limit], agents[limit - 1].id
        return agents, None

    def delete(self, agent: AgentId) -> None:
        """Forget an agent; what waits for it becomes dead letters. Raises `UnknownAgentError`."""
        if agent in BUILT_IN:
            raise ConflictError(f"Agent {agent} always exists and can't be deleted.")
        if self._store.move("unregister", agent, {}).name == "unknown_agent":
            raise UnknownAgentError([agent], self.near_names(agent))
        self._admission_changed(agent)
        self._deleted(agent)

    def heartbeat(
        self,
        agent: AgentId,
        *,
        instance_id: str | None = None,
        epoch: int | None = None,
        status: str | None = None,
    ) -> Agent:
        """Note a sign of life. Raises `UnknownAgentError`, `StaleEpochError` (SPEC R8, R9)."""
        outcome = self._store.move(
            "heartbeat",
            agent,
            {
                "instance_id": instance_id or "",
                "epoch": "" if epoch is None else epoch,
                "reported": status or "",
            },
        )
        if outcome.name == "unknown_agent":
            raise UnknownAgentError([agent], self.near_names(agent))
        if outcome.name == "stale_epoch":
            raise StaleEpochError(
                f"A newer session of {agent} has taken over. Register again to act for it."
            )
        return self.get(agent)

    def reap(self) -> list[AgentId]:
        """Take agents that have been silent for too long off the present ones; who they were.

        Their leases return before they stop being looked at, so that a crash between repeats it.
        """
        reaped = []
        for agent in self._store.silent_since(self._clock() - self._offline_after_ms):
            if agent in BUILT_IN:
                continue  # whoever reads their inboxes gives signs of life, but owes none
            self._session_ended(agent, self._offline_after_ms)
            outcome = self._store.move("retire", agent, {"silence_ms": self._offline_after_ms})
            if outcome.name == "retired":
                reaped.append(agent)
        return reaped

    def near_names(self, agent: AgentId) -> tuple[AgentId, ...]:
        """Registered ids that look like this one."""
        names = self._store.names()
        lowered = {name.lower(): name for name in names}
        near = difflib.get_close_matches(agent.lower(), lowered, n=_NEAR, cutoff=0.6)
        return tuple(lowered[name] for name in near)

    def _agent(self, agent: AgentId, stored: Mapping[str, str]) -> Agent:
        last_seen = int(stored.get("last_seen", 0))
        return Agent(
            id=agent,
            profile=_profile(stored, agent),
            presence=self._presence(agent, self._clock() - last_seen),
            reported_status=stored.get("reported_status"),
            instance_id=stored.get("instance_id"),
            epoch=int(stored["epoch"]),
            registered_at=int(stored.get("registered_at", last_seen)),
            last_seen=last_seen,
            max_depth=int(stored["max_depth"]) if "max_depth" in stored else None,
            on_full=OnFull(stored["on_full"]) if "on_full" in stored else None,
        )

    def _presence(self, agent: AgentId, silence_ms: int) -> Presence:
        if agent in BUILT_IN or silence_ms <= self._stale_after_ms:
            return Presence.ONLINE
        return Presence.STALE if silence_ms <= self._offline_after_ms else Presence.OFFLINE


def _taken(agent: AgentId) -> AgentTakenError:
    return AgentTakenError(
        f"The id {agent} is taken. Choose another one, or use a key that speaks for it."
    )


def _profile(stored: Mapping[str, str], agent: AgentId) -> Profile:
    if "profile" not in stored:
        return Profile(name=agent)
    fields = json.loads(stored["profile"])
    fields["kind"] = AgentKind(fields["kind"])
    for name in ("tags", "capabilities"):
        fields[name] = tuple(fields[name])
    return Profile(**fields)


def _dumps(profile: Profile) -> str:
    return json.dumps(dataclasses.asdict(profile), separators=(",", ":"))
