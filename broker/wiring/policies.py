"""What the settings say, in the values and units that the domain goes by."""

from __future__ import annotations

import socket

from broker.delivery.breaker import BreakerPolicy
from broker.delivery.webhook import WebhookPolicy
from broker.directory.discovery.discovery import DiscoveryPolicy
from broker.kernel.clock import seconds_to_ms
from broker.messaging.policy import MessagePolicy
from broker.operations.store import PresencePolicy
from config.settings import Settings


def message_policy(settings: Settings) -> MessagePolicy:
    """The limits of the settings, in the domain's units."""
    return MessagePolicy(
        max_body_bytes=settings.max_body_bytes,
        max_depth=settings.queue_max_depth,
        ttl_ms=seconds_to_ms(settings.message_ttl_seconds),
        max_ttl_ms=seconds_to_ms(settings.message_max_ttl_seconds),
        retention_ms=seconds_to_ms(settings.retention_seconds),
        idempotency_ms=seconds_to_ms(settings.idempotency_seconds),
        lease_ms=seconds_to_ms(settings.lease_seconds),
        max_lease_ms=seconds_to_ms(settings.lease_max_seconds),
        retry_delay_ms=seconds_to_ms(settings.retry_delay_seconds),
        retry_max_delay_ms=seconds_to_ms(settings.retry_max_delay_seconds),
        max_attempts=settings.max_attempts,
        dead_letter_retry_ms=seconds_to_ms(settings.dead_letter_retry_seconds),
        dead_letter_max_retries=settings.dead_letter_max_retries,
        dead_letter_retention_ms=seconds_to_ms(settings.dead_letter_retention_seconds),
        activity_cap=settings.activity_max_events,
    )


def webhook_policy(settings: Settings) -> WebhookPolicy:
    """What the settings say of webhooks, in the domain's units."""
    return WebhookPolicy(
        timeout_ms=seconds_to_ms(settings.webhook_timeout_seconds),
        allow_private=settings.webhook_allow_private,
        breaker=BreakerPolicy(
            failures=settings.breaker_failures,
            open_ms=seconds_to_ms(settings.breaker_open_seconds),
        ),
    )


def presence_policy(settings: Settings) -> PresencePolicy:
    """From when on agents count as missing, in the domain's units."""
    return PresencePolicy(
        stale_after_ms=seconds_to_ms(settings.stale_after_seconds),
        offline_after_ms=seconds_to_ms(settings.offline_after_seconds),
        max_depth=settings.queue_max_depth,
    )


def discovery_policy(settings: Settings) -> DiscoveryPolicy:
    """Where agents are looked for, and what becomes of those that are found."""
    return DiscoveryPolicy(
        roots=settings.discovery_roots or (),
        registers=settings.discovery_mode == "register",
        machine=socket.gethostname(),
    )
