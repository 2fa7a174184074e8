"""Jobs of the retry pool: what time does to messages and agents, and what recurs."""

from broker.kernel.ids import RecurringId
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


def fire_recurring(recurring_id: str) -> None:
    """Send what is due of a recurring message."""
    broker().recurring.fire(RecurringId(recurring_id))


def fire_overdue() -> None:
    """Send what is due of recurring messages whose own wake-up was lost."""
    broker().recurring.fire_overdue()


def sample_counters() -> None:
    """Remember the counters as they are; rates are the difference to now."""
    broker().stats.sample()


def check_health() -> None:
    """Score the station's health, remember it, and tell the user of alerts."""
    broker().health.check()
