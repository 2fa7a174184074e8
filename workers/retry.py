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


def sample_counters() -> None:
    """Remember the counters as they are; rates are the difference to now."""
    broker().stats.sample()


def check_health() -> None:
    """Score the station's health, remember it, and tell the user of alerts."""
    broker().health.check()
