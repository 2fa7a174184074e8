"""Jobs of the delivery pool, which pushes messages to those that do not fetch them."""

from typing import Final

from workers.station import broker

# Shorter than the time after which a process that is asked to stop is ended.
_LAST_REQUESTS_SECONDS: Final = 7.0


def push() -> None:
    """Begin to push what waits in the partitions that ring."""
    broker().pusher.push()


def sweep() -> None:
    """Begin to push whatever waits: retries that are due, and what nobody rang for."""
    broker().pusher.sweep()


def stop() -> None:
    """End the pushes of this process, which outlive the jobs that began them."""
    broker().pusher.stop(_LAST_REQUESTS_SECONDS)
