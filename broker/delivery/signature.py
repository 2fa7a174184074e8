"""Signatures of webhooks (https://www.standardwebhooks.com): who posts, when, and exactly what."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from typing import Final, NewType

from standardwebhooks import Webhook

from broker.kernel.clock import MILLISECONDS, from_ms

WebhookSecret = NewType("WebhookSecret", str)
"""What sender and receiver share, in the standard's form: `whsec_` and base64."""

_BYTES: Final = 32


def new_secret() -> WebhookSecret:
    """A secret of 256 random bits."""
    return WebhookSecret(f"whsec_{base64.b64encode(secrets.token_bytes(_BYTES)).decode()}")


def signed_headers(
    keys: Sequence[WebhookSecret], *, webhook_id: str, at_ms: int, body: bytes
) -> dict[str, str]:
    """The headers by which the receiver verifies a request.

    While a secret is being replaced there are two, and a signature with each.
    """
    text = body.decode()
    signatures = (
        Webhook(key).sign(msg_id=webhook_id, timestamp=from_ms(at_ms), data=text) for key in keys
    )
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(at_ms // MILLISECONDS),
        "webhook-signature": " ".join(signatures),
    }
