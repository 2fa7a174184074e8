"""Agents: registering, listing, changing and forgetting them (SPEC R7-R9)."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint
from flask import Response

from app.access import AS_PATH_AGENT, AS_PATH_AGENT_OR_OPERATOR, KNOWN, REGISTRANT
from app.context import broker
from app.identity import caller
from app.json_document import answer
from app.rest.operation import operation
from app.schemas.agents import (
    FIND_AGENTS,
    HEARTBEAT,
    PATCH,
    REGISTER,
    AgentsView,
    Changes,
    EnrolledView,
    FindAgents,
    Heartbeat,
    OneAgentView,
    Registration,
    agent_view,
    enrolled_view,
)
from broker.kernel.ids import AgentId

agents = APIBlueprint("agents", __name__)

_EXAMPLE: Final = {"id": "bob", "name": "Bob", "tags": ["review"], "instance_id": "run-1"}


@agents.post("/agents/register")
@operation(
    "registerAgent",
    access=REGISTRANT,
    body=REGISTER,
    example=_EXAMPLE,
    answers={201: EnrolledView, 200: EnrolledView},
    errors=("unauthenticated", "forbidden", "identity_unavailable", "agent_taken"),
)
def register(body: Registration) -> Response:
    """Register an agent (201), or renew its registration (200).

    Another `instance_id` opens a new session: the epoch rises, what the older session held
    returns to the inbox, and calls with an older epoch are refused. Where the station lets
    newcomers in that have no key, by invitation or at all, the answer has one: `api_key`.
    """
    admission = broker().identity.enrolment.admit(caller(), body.id, body.invitation)
    result = broker().agents.register(
        body.id,
        body.profile,
        instance_id=body.instance_id,
        limits=body.limits,
        present=admission.present,
        founding=admission.founding,
    )
    return answer(
        enrolled_view(result.agent, admission.token),
        201 if result.created else 200,
        {"Cache-Control": "no-store"} if admission.token else None,
    )


@agents.get("/agents")
@operation("findAgents", access=KNOWN, query=FIND_AGENTS, answers={200: AgentsView})
def find(query: FindAgents) -> Response:
    """List agents in the order of their ids."""
    found, cursor = broker().agents.find(
        limit=query.limit, after=query.after, accept=query.wanted.accepts
    )
    return answer(AgentsView(agents=[agent_view(one) for one in found], cursor=cursor))


@agents.get("/agents/<agent_id>")
@operation("getAgent", access=KNOWN, answers={200: OneAgentView}, errors=("unknown_agent",))
def get(agent_id: AgentId) -> Response:
    """Show an agent."""
    return answer({"agent": agent_view(broker().agents.get(agent_id))})


@agents.patch("/agents/<agent_id>")
@operation(
    "changeAgent",
    access=AS_PATH_AGENT_OR_OPERATOR,
    body=PATCH,
    example={"ready": False},
    answers={200: OneAgentView},
    errors=("unknown_agent",),
)
def patch(agent_id: AgentId, body: Changes) -> Response:
    """Change fields of an agent; null clears those that may be unset."""
    changed = broker().agents.patch(agent_id, body.profile, body.limits)
    return answer({"agent": agent_view(changed)})


@agents.delete("/agents/<agent_id>")
@operation(
    "deleteAgent",
    access=AS_PATH_AGENT_OR_OPERATOR,
    answers={204: None},
    errors=("unknown_agent", "conflict"),
)
def delete(agent_id: AgentId) -> Response:
    """Forget an agent; what waits for it becomes dead letters."""
    broker().agents.delete(agent_id)
    return Response(status=204)


@agents.post("/agents/<agent_id>/heartbeat")
@operation(
    "heartbeat",
    access=AS_PATH_AGENT,
    body=HEARTBEAT,
    optional=True,
    example={"status": "reviewing"},
    answers={200: OneAgentView},
    errors=("unknown_agent", "stale_epoch"),
)
def heartbeat(agent_id: AgentId, body: Heartbeat) -> Response:
    """Give a sign of life."""
    agent = broker().agents.heartbeat(
        agent_id, instance_id=body.instance_id, epoch=body.epoch, status=body.status
    )
    return answer({"agent": agent_view(agent)})
