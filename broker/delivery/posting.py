"""What is posted: a message as its recipient's inbox would show it, signed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from broker.delivery.client import Connection, WebhookClient
from broker.delivery.endpoint import endpoint_of
from broker.delivery.signature import signed_headers
from broker.delivery.verdict import Outcome, Verdict, judge
from broker.delivery.webhook import Webhook, WebhookPolicy
from broker.kernel.clock import Clock
from broker.messaging import wire
from broker.messaging.delivery import Delivered

_RESERVED: Final = (
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "waystation-",
    "webhook-",
)
"""Headers that are the station's to set; those that end in a dash stand for all that begin so."""

_encode: Final = msgspec.json.Encoder().encode

Post = Callable[[Delivered], Verdict]
"""Posts one message."""


class Posting:
    """Posts to webhooks, each through a connection that is kept while there is more to say."""

    def __init__(self, client: WebhookClient, policy: WebhookPolicy, clock: Clock) -> None:
        self._client = client
        self._policy = policy
        self._clock = clock

    @contextmanager
    def to(self, webhook: Webhook) -> Iterator[Post]:
        """What posts to this webhook."""
        endpoint = endpoint_of(webhook.definition.url, allow_private=True)
        with self._client.connected(endpoint) as connection:
            yield lambda delivered: self._post(connection, webhook, delivered)

    def timeout_ms(self, webhook: Webhook) -> int:
        """How long one request to this webhook may take."""
        return webhook.definition.timeout_ms or self._policy.timeout_ms

    def _post(self, connection: Connection, webhook: Webhook, delivered: Delivered) -> Verdict:
        if not (connection.endpoint.is_encrypted or self._policy.allow_private):
            # It was set while private addresses were allowed.
            return Verdict(outcome=Outcome.REFUSED, reason="the URL must begin with https://")
        now = self._clock()
        body = _encode(wire.unleased(delivered))
        headers = {
            **webhook.definition.headers,
            "content-type": "application/json",
            "user-agent": "Waystation",
            "waystation-agent": webhook.agent_id,
            "waystation-attempt": str(delivered.attempt),
            **signed_headers(
                webhook.secrets_at(now), webhook_id=delivered.message.id, at_ms=now, body=body
            ),
        }
        return judge(connection.post(body, headers, timeout_ms=self.timeout_ms(webhook)))


def is_reserved(header: str) -> bool:
    """Whether an agent may not set this header."""
    name = header.lower()
    return any(name.startswith(one) if one.endswith("-") else name == one for one in _RESERVED)
