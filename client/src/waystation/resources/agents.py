"""The register of agents (SPEC R7-R9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

from waystation.answers import AgentProfile, Agents, Enrolled, OneAgent
from waystation.blocking import Blocking, blocking
from waystation.resources.resource import AsyncResource
from waystation.transport import Call, at, given


class Profile(TypedDict, total=False):
    """What an agent says of itself; to leave a field out leaves it as it is."""

    name: str | None
    kind: str
    label: str | None
    tags: Sequence[str]
    capabilities: Sequence[str]
    machine: str | None
    cwd: str | None
    parent: str | None
    ready: bool
    transport: str
    operating_mode: str | None
    meta: Mapping[str, Any]
    queue_max_depth: int | None
    on_full: str | None


class AsyncAgents(AsyncResource):
    """Registering, finding, changing and forgetting agents."""

    async def register(
        self,
        agent_id: str,
        *,
        instance_id: str | None = None,
        invitation: str | None = None,
        **profile: Unpack[Profile],
    ) -> Enrolled:
        """Register an agent, or renew its registration.

        Another `instance_id` opens a new session and ends the older one. Where the station lets
        newcomers in, `api_key` of the answer is theirs, this once.
        """
        body = given(id=agent_id, instance_id=instance_id, invitation=invitation) | profile
        return await self._transport.ask(
            Call(method="POST", path=at("agents", "register"), body=body), Enrolled
        )

    async def list(
        self,
        *,
        status: str | None = None,
        kind: str | None = None,
        label: str | None = None,
        tag: str | None = None,
        capability: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Agents:
        """A page of agents in the order of their ids."""
        query = given(
            status=status,
            kind=kind,
            label=label,
            tag=tag,
            capability=capability,
            limit=limit,
            cursor=cursor,
        )
        return await self._transport.ask(Call(method="GET", path=at("agents"), query=query), Agents)

    async def get(self, agent_id: str) -> AgentProfile:
        """Show an agent. Raises `UnknownAgentError`."""
        call = Call(method="GET", path=at("agents", agent_id))
        return (await self._transport.ask(call, OneAgent)).agent

    async def update(self, agent_id: str, **profile: Unpack[Profile]) -> AgentProfile:
        """Change fields of an agent; None clears those that may be unset."""
        call = Call(method="PATCH", path=at("agents", agent_id), body=profile)
        return (await self._transport.ask(call, OneAgent)).agent

    async def delete(self, agent_id: str) -> None:
        """Forget an agent; what waits for it becomes dead letters."""
        await self._transport.ask(Call(method="DELETE", path=at("agents", agent_id)))

    async def heartbeat(
        self,
        agent_id: str,
        *,
        status: str | None = None,
        instance_id: str | None = None,
        epoch: int | None = None,
    ) -> AgentProfile:
        """Give a sign of life. Raises `StaleEpochError` if a newer session has taken over."""
        body = given(status=status, instance_id=instance_id, epoch=epoch)
        call = Call(method="POST", path=at("agents", agent_id, "heartbeat"), body=body)
        return (await self._transport.ask(call, OneAgent)).agent


class BlockingAgents(Blocking[AsyncAgents]):
    """The blocking twin of `AsyncAgents`."""

    register = blocking(AsyncAgents.register)
    list = blocking(AsyncAgents.list)
    get = blocking(AsyncAgents.get)
    update = blocking(AsyncAgents.update)
    delete = blocking(AsyncAgents.delete)
    heartbeat = blocking(AsyncAgents.heartbeat)
