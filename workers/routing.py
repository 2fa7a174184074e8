"""Jobs of the routing pool: they put accepted messages into inboxes."""

from workers.station import broker


def drain() -> None:
    """Route what waits in the partitions that ring."""
    broker().router.drain()


def sweep() -> None:
    """Ring for partitions whose wake-up was lost, and for delayed messages that are due."""
    broker().router.sweep()


def drain_unrung() -> None:
    """Route what waits, where Redis has no room for the jobs that would have it routed."""
    broker().router.drain_unrung()
