"""Jobs of the retry pool: what time does to messages and agents, and what recurs."""

from workers.station import broker


def sweep() -> None:
    """Return ended leases and waits to their inboxes, expire, conclude, retry dead letters."""
    broker().settlement.sweep()


def reap() -> None:
    """Take agents that fell silent off the present ones, and return what they hold."""
    broker().agents.reap()


def trim() -> None:
    """Let dead letters and listing entries leave whose time has passed."""
    broker().settlement.trim()
