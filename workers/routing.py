"""Jobs of the routing pool: they put accepted messages into inboxes."""

from workers.station import broker


def drain() -> None:
    """Route what waits in the partitions that ring."""
    broker().router.drain()


def sweep() -> None:
    """Ring for partitions whose wake-up was lost, and for delayed messages that are due."""
    broker().router.sweep()
