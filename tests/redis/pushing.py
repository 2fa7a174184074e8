"""What tests of pushing do and see, in a word each."""

from __future__ import annotations

from typing import Any

from broker.delivery.store import WebhookStore
from broker.delivery.webhook import Webhook, WebhookDefinition
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId
from tests.redis.stage import Stage
from tests.waiting import until

BOB = AgentId("bob")


def webhook_of(stage: Stage, agent: str = "bob") -> Webhook:
    return stage.broker.webhooks.get(AgentId(agent))


def set_webhook(stage: Stage, url: str, agent: str = "bob", **options: Any) -> str:
    result = stage.broker.webhooks.set(AgentId(agent), WebhookDefinition(url=url, **options))
    return str(result.secret)


def becomes(stage: Stage, message: MessageId, state: DeliveryState, agent: str = "bob") -> None:
    until(lambda: stage.state(message, agent) is state, within=10, what=f"{message} is {state}")


def leave_open_behind(stage: Stage) -> None:
    """As if the time had passed in which nothing is tried."""
    keys = stage.broker.keys
    until(lambda: not held(stage), within=5, what="nobody pushes")
    stage.broker.redis.command("HINCRBY", keys.breaker("webhook", BOB), "opened_at", -61_000)
    stage.shift(keys.webhooks(keys.partition_for(BOB)), -61_000)


def held(stage: Stage, agent: str = "bob") -> bool:
    return bool(stage.broker.redis.command("EXISTS", stage.broker.keys.pusher(AgentId(agent))))


def store_of(stage: Stage) -> WebhookStore:
    return WebhookStore(stage.broker.redis, stage.broker.keys, activity_cap=100)
