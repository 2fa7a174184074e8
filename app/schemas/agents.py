"""Agents: what they say about themselves, and as they are shown (SPEC R7-R9)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NotRequired, TypedDict

from app.schemas.deliveries import epoch_field
from app.schemas.fields import (
    Choice,
    Flag,
    JsonObject,
    Line,
    Lines,
    Whole,
    agent_id_field,
)
from app.schemas.lists import page_limit
from app.schemas.messages import moment
from app.schemas.shape import QueryShape, Shape
from broker.directory.agents import Agent, AgentKind, InboxLimits, OnFull, Presence
from broker.directory.selection import AgentFilter
from broker.kernel.clock import rfc3339
from broker.kernel.ids import AgentId
from broker.messaging.wire import Timestamp

_META_BYTES: Final = 16 * 1024


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What an agent says about itself: the fields of its profile that are named, and its limits."""

    profile: dict[str, Any] = field(default_factory=dict)
    limits: InboxLimits = field(default_factory=InboxLimits)


@dataclass(frozen=True, kw_only=True)
class Registration(Changes):
    """An agent registers."""

    id: AgentId
    instance_id: str | None = None
    invitation: str | None = field(default=None, repr=False)


class PatchShape(Shape[Changes]):
    """Fields of an agent that change; null clears those that may be unset."""

    keeps_null = True

    name = Line(description="What people call it.")
    kind = Choice(AgentKind, nullable=False)
    label = Line(nullable=True)
    tags = Lines(nullable=False)
    capabilities = Lines(nullable=False)
    machine = Line(256)
    cwd = Line(4096, description="Its working directory.")
    parent = agent_id_field()
    ready = Flag(nullable=False, description="Whether it takes work now.")
    transport = Line(64, nullable=False, description="How messages reach it.")
    operating_mode = Line(64)
    meta = JsonObject(_META_BYTES, nullable=False)
    max_depth = Whole(
        1, 10_000_000, data_key="queue_max_depth", nullable=False, description="Of its inbox."
    )
    on_full = Choice(OnFull, nullable=False)

    def build(self, values: dict[str, Any]) -> Changes:
        """The changes that are asked for."""
        return Changes(limits=_limits(values), profile=values)


class RegisterShape(PatchShape):
    """An agent registers, or renews its registration: what it doesn't name is kept."""

    id = agent_id_field(required=True)
    instance_id = Line(
        description="Names this run of it; another one opens a new session (epoch + 1)."
    )
    invitation = Line(
        256, description="The token of an invitation, for who has no key; the answer has one then."
    )

    def build(self, values: dict[str, Any]) -> Registration:
        """The registration that is asked for."""
        return Registration(
            id=values.pop("id"),
            instance_id=values.pop("instance_id", None),
            invitation=values.pop("invitation", None),
            limits=_limits(values),
            profile=values,
        )


def _limits(values: dict[str, Any]) -> InboxLimits:
    return InboxLimits(max_depth=values.pop("max_depth", None), on_full=values.pop("on_full", None))


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """A sign of life."""

    instance_id: str | None = None
    epoch: int | None = None
    status: str | None = None


class HeartbeatShape(Shape[Heartbeat]):
    """A sign of life (SPEC R9)."""

    instance_id = Line()
    epoch = epoch_field()
    status = Line(description="What it is doing, in its own word.")

    def build(self, values: dict[str, Any]) -> Heartbeat:
        """The sign of life."""
        return Heartbeat(**values)


@dataclass(frozen=True, kw_only=True)
class FindAgents:
    """A page of the agents that are meant."""

    wanted: AgentFilter
    limit: int
    after: AgentId | None


class FindAgentsShape(QueryShape[FindAgents]):
    """Which agents to list."""

    tag = Line()
    label = Line()
    capability = Line()
    presence = Choice(Presence, data_key="status")
    kind = Choice(AgentKind)
    limit = page_limit()
    after = agent_id_field(data_key="cursor", description="Go on behind this one.")

    def build(self, values: dict[str, Any]) -> FindAgents:
        """The page that is asked for."""
        count, after = values.pop("limit", 100), values.pop("after", None)
        return FindAgents(wanted=AgentFilter(**values), limit=count, after=after)


class AgentView(TypedDict):
    """A registered agent; `status` is its presence, `reported_status` what it says of itself."""

    id: str
    name: str | None
    kind: str
    label: str | None
    tags: list[str]
    capabilities: list[str]
    machine: str | None
    cwd: str | None
    parent: str | None
    ready: bool
    status: str
    reported_status: str | None
    transport: str
    operating_mode: str | None
    meta: dict[str, Any]
    epoch: int
    queue_max_depth: int | None
    on_full: str | None
    registered_at: Timestamp
    last_seen: Timestamp | None


class OneAgentView(TypedDict):
    """One agent."""

    agent: AgentView


class EnrolledView(OneAgentView):
    """A registered agent; a newcomer that had no key gets its own, this once."""

    api_key: NotRequired[str]


class AgentsView(TypedDict):
    """A page of agents."""

    agents: list[AgentView]
    cursor: str | None


def agent_view(agent: Agent) -> AgentView:
    """An agent as callers see it; who its instance is stays its own knowledge."""
    profile = agent.profile
    return {
        "id": agent.id,
        "name": profile.name,
        "kind": profile.kind.value,
        "label": profile.label,
        "tags": list(profile.tags),
        "capabilities": list(profile.capabilities),
        "machine": profile.machine,
        "cwd": profile.cwd,
        "parent": profile.parent,
        "ready": profile.ready,
        "status": agent.presence.value,
        "reported_status": agent.reported_status,
        "transport": profile.transport,
        "operating_mode": profile.operating_mode,
        "meta": profile.meta,
        "epoch": agent.epoch,
        "queue_max_depth": agent.max_depth,
        "on_full": None if agent.on_full is None else agent.on_full.value,
        "registered_at": rfc3339(agent.registered_at),
        "last_seen": moment(agent.last_seen or None),
    }


def enrolled_view(agent: Agent, token: str | None) -> EnrolledView:
    """An agent as whoever registered it sees it, with the key that it got."""
    view: EnrolledView = {"agent": agent_view(agent)}
    if token is not None:
        view["api_key"] = token
    return view


PATCH: Final = PatchShape()
REGISTER: Final = RegisterShape()
HEARTBEAT: Final = HeartbeatShape()
FIND_AGENTS: Final = FindAgentsShape()
