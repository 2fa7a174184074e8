"""Jobs of the execution pool, which runs headless agents; each in a process of its own."""

from workers.station import broker


def discover() -> None:
    """Search this machine for agents, and report what was found."""
    broker().discovery.scan()


def ping() -> None:
    """Do nothing: a pool that finishes this takes jobs."""
