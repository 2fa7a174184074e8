"""The limits and durations by which messages live; all in milliseconds, bytes or counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class MessagePolicy:
    """How long things last and how large they may be (SPEC M8, M9, M17, D1)."""

    max_body_bytes: int
    max_depth: int
    ttl_ms: int
    max_ttl_ms: int
    retention_ms: int
    idempotency_ms: int
    lease_ms: int
    max_lease_ms: int
    retry_delay_ms: int
    retry_max_delay_ms: int
    max_attempts: int
    dead_letter_retry_ms: int
    dead_letter_max_retries: int
    dead_letter_retention_ms: int
    activity_cap: int

    # A record outlives the life of its message by this much beyond the retention, in case that
    # nobody is there to conclude it.
    record_slack_ms: int = 3_600_000

    def record_ms(self, remaining_ms: int) -> int:
        """How long a record is kept at the most, when its message has `remaining_ms` to live."""
        return max(1, remaining_ms) + self.retention_ms + self.record_slack_ms
