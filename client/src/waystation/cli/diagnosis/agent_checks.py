"""Checks of the agent that the configuration names."""

from __future__ import annotations

from waystation.cli.diagnosis.finding import Finding, fine, skipped, warning, wrong
from waystation.cli.diagnosis.observed import COUNTED, Named, Observed
from waystation.errors import UnknownAgentError


def agent(observed: Observed) -> Finding | None:
    """Whether an agent is named, registered, and there."""
    found, named = observed.settings.configuration, observed.named
    if found is None or observed.answerer is None or not observed.answerer.is_station:
        return None
    if found.agent is None:
        return skipped(
            "agent",
            "none is named, so commands need --as",
            "export WAYSTATION_AGENT=<id>, or `waystation profiles add`",
        )
    if named is None:
        return None
    if isinstance(named.error, UnknownAgentError):
        return wrong(
            "agent",
            str(named.error),
            f"waystation agents register {found.agent}",
        )
    if named.profile is None:
        return skipped("agent", f"{found.agent} could not be looked at: {named.error}")
    profile = named.profile
    seen = f", last seen {profile.last_seen:%Y-%m-%d %H:%M:%S} UTC" if profile.last_seen else ""
    return fine("agent", f"{profile.id} is registered and {profile.status}{seen}")


def inbox(observed: Observed) -> Finding | None:
    """What waits for it, and for how long."""
    named = _known(observed)
    if named is None or named.profile is None or named.waiting is None:
        return None
    if named.waiting == 0:
        return fine("inbox", "nothing waits")
    count = f"{COUNTED} or more" if named.waiting >= COUNTED else str(named.waiting)
    said = f"{count} wait"
    if named.oldest_seconds is not None:
        said += f", the oldest for {named.oldest_seconds:.0f} s"
    if named.profile.status == "online":
        return fine("inbox", said)
    return warning(
        "inbox",
        f"{said}, and nobody reads: {named.profile.id} is {named.profile.status}",
        f"waystation inbox --as {named.profile.id} --take 1",
    )


def dead_letters(observed: Observed) -> Finding | None:
    """Whether messages for it died."""
    named = _known(observed)
    if named is None or named.profile is None or named.dead_letters is None:
        return None
    if named.dead_letters == 0:
        return fine("dead letters", "none")
    count = "100 or more" if named.dead_letters >= COUNTED else str(named.dead_letters)
    return warning(
        "dead letters",
        f"{count} open",
        f"waystation dead-letters list --of {named.profile.id}",
    )


def webhook(observed: Observed) -> Finding | None:
    """Whether its webhook works, if it has one."""
    named = _known(observed)
    if named is None or named.webhook is None:
        return None
    hook = named.webhook
    test = f"waystation webhooks test {hook.agent_id}"
    if hook.status != "active":
        why = hook.disabled_because or "no reason is kept"
        return wrong(
            "webhook",
            f"{hook.url} is {hook.status}: {why}",
            f"waystation webhooks set {hook.agent_id} URL",
        )
    if hook.breaker.state != "closed":
        return wrong(
            "webhook",
            f"{hook.url} is not tried for now (breaker {hook.breaker.state}):"
            f" {hook.last_failure or 'it failed'}",
            test,
        )
    return fine("webhook", f"posts go to {hook.url}")


def _known(observed: Observed) -> Named | None:
    named = observed.named
    return None if named is None or named.profile is None else named
