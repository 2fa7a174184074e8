"""Webhooks: where an agent's messages are posted as they come (SPEC T4)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from app.access import AS_PATH_AGENT_OR_OPERATOR
from app.context import broker
from app.json_document import answer
from app.rest.operation import operation
from app.schemas.webhooks import (
    ROTATE,
    WEBHOOK,
    OneWebhookView,
    SecretView,
    TriedView,
    set_view,
    tried_view,
    webhook_view,
)
from broker.delivery.webhook import WebhookDefinition
from broker.kernel.clock import system_clock
from broker.kernel.ids import AgentId

webhooks = APIBlueprint("webhooks", __name__)

_ERRORS = ("unknown_agent", "webhook_not_found")


@webhooks.put("/agents/<agent_id>/webhook")
@operation(
    "setWebhook",
    access=AS_PATH_AGENT_OR_OPERATOR,
    body=WEBHOOK,
    example={"url": "https://bob.example.com/hook"},
    answers={201: OneWebhookView, 200: OneWebhookView},
    errors=("unknown_agent",),
)
def put(agent_id: AgentId, body: WebhookDefinition) -> Response:
    """Have an agent's messages posted to its endpoint (201), or change where and how (200).

    The 201 holds the secret that requests are signed with; it is not shown again.
    """
    result = broker().webhooks.set(agent_id, body)
    view = set_view(result, broker().webhooks.policy, system_clock())
    return answer(view, 200 if result.secret is None else 201)


@webhooks.get("/agents/<agent_id>/webhook")
@operation(
    "getWebhook",
    access=AS_PATH_AGENT_OR_OPERATOR,
    answers={200: OneWebhookView},
    errors=_ERRORS,
)
def get(agent_id: AgentId) -> Response:
    """Show an agent's webhook and how its endpoint fares; never its secret."""
    webhook = broker().webhooks.get(agent_id)
    return answer(
        OneWebhookView(webhook=webhook_view(webhook, broker().webhooks.policy, system_clock()))
    )


@webhooks.delete("/agents/<agent_id>/webhook")
@operation("removeWebhook", access=AS_PATH_AGENT_OR_OPERATOR, answers={204: None}, errors=_ERRORS)
def remove(agent_id: AgentId) -> Response:
    """Take a webhook away; what comes from now on waits in the inbox."""
    broker().webhooks.remove(agent_id)
    return Response(status=204)


@webhooks.post("/agents/<agent_id>/webhook/rotate-secret")
@operation(
    "rotateWebhookSecret",
    access=AS_PATH_AGENT_OR_OPERATOR,
    body=ROTATE,
    optional=True,
    example={"overlap_seconds": 3600},
    answers={200: SecretView},
    errors=_ERRORS,
)
def rotate_secret(agent_id: AgentId, body: int) -> Response:
    """Replace a webhook's secret; for the overlap, requests carry a signature with each."""
    return answer(SecretView(secret=broker().webhooks.rotate(agent_id, body)))


@webhooks.post("/agents/<agent_id>/webhook/test")
@operation(
    "testWebhook", access=AS_PATH_AGENT_OR_OPERATOR, answers={200: TriedView}, errors=_ERRORS
)
def test(agent_id: AgentId) -> Response:
    """Post a signed message of kind `ping` now, and show what the endpoint answered."""
    return answer(tried_view(broker().webhooks.test(agent_id)))
