"""What happens when an endpoint answers that it wants no more messages (410 Gone)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from broker.delivery.webhook import Webhook
from broker.delivery.webhooks import Webhooks
from broker.kernel.errors import InboxFullError
from broker.kernel.ids import AgentId
from broker.messaging.message import Draft

KIND: Final = "alert"
_SYSTEM: Final = AgentId("system")
_USER: Final = AgentId("user")

_log = structlog.get_logger(__name__)


class Farewell:
    """Tells the user, and turns the webhook off; in this order, both safe to repeat."""

    def __init__(self, webhooks: Webhooks, send: Callable[[Draft], object]) -> None:
        self._webhooks = webhooks
        self._send = send

    def __call__(self, webhook: Webhook, because: str) -> None:
        """The webhook is over, for this reason."""
        try:
            self._send(notice(webhook, because))
        except InboxFullError as error:
            _log.warning("webhook.nobody_told", agent=webhook.agent_id, error=error.detail)
        self._webhooks.disable(webhook, because)


def notice(webhook: Webhook, because: str) -> Draft:
    """The message to the user: one for each time that the webhook was set."""
    agent = webhook.agent_id
    return Draft(
        sender=_SYSTEM,
        to=(_USER,),
        kind=KIND,
        subject=f"The webhook of {agent} is off",
        body=(
            f"Its endpoint wants no more messages ({because}). What comes for {agent} waits in its"
            " inbox. Set the webhook again to turn it on."
        ),
        idempotency_key=f"webhook-off:{agent}:{webhook.changed_at}",
    )
