"""What tests of tickets ask and look at, in a word each."""

from typing import Any

from broker.kernel.ids import AgentId, MessageId
from broker.messaging.ticket import Ticket
from tests.redis.stage import Stage


def ask(stage: Stage, to: str | tuple[str, ...] = "bob", **fields: Any) -> MessageId:
    return stage.deliver(to, expects_reply=True, **fields)


def ticket(stage: Stage, identifier: MessageId) -> Ticket:
    return stage.broker.tickets.get(identifier)


def bodies(found: Ticket) -> list[str | None]:
    return [one.message.body for one in found.replies if one.message]


def owed(stage: Stage, agent: str = "bob") -> list[MessageId]:
    found, _ = stage.broker.tickets.owed_by(AgentId(agent), limit=100)
    return [one.message.id for one in found]
