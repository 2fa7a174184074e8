"""Checks of the station: that it is one, ready, of this time, and that it knows the caller."""

from __future__ import annotations

from typing import Final

from waystation.answers import Principal
from waystation.cli.diagnosis.finding import Finding, fine, skipped, warning, wrong
from waystation.cli.diagnosis.observed import Observed, Trial
from waystation.configuration import Configuration
from waystation.errors import UnauthenticatedError, WaystationError

_SKEW_SECONDS: Final = 5.0
_ENDS_SOON_SECONDS: Final = 3 * 86_400


def station(observed: Observed) -> Finding | None:
    """Whether what answers is a station."""
    way, answerer = observed.way, observed.answerer
    if observed.unreachable is not None:
        return wrong(
            "station",
            f"Something listens, but does not answer HTTP: {observed.unreachable}",
            "Is it https:// rather than http://, or another service's port? Correct the URL.",
        )
    if way is None or answerer is None:
        return None
    if not answerer.is_station:
        return wrong(
            "station",
            f"What answers at {way.host} port {way.port} is not a Waystation: {answerer.said}",
            "Another program has this port. Correct the URL (--url, WAYSTATION_URL), or start the"
            " station at another port (API_PORT=8081 script/server).",
        )
    return fine("station", f"answers in {answerer.answer_ms:.0f} ms")


def version(observed: Observed) -> Finding | None:
    """Whether client and station are of one version."""
    answerer = observed.answerer
    if answerer is None or answerer.version is None:
        return None
    own = observed.machine.client
    if answerer.version.split(".")[:2] != own.split(".")[:2]:
        return warning(
            "version",
            f"The station is {answerer.version}, this client {own}",
            "Use the client that comes with the station.",
        )
    return fine("version", f"the station is {answerer.version}")


def readiness(observed: Observed) -> Finding | None:
    """Whether every part of the station is there."""
    answerer = observed.answerer
    if answerer is None or not answerer.is_station:
        return None
    if answerer.not_ready is None:
        return fine("readiness", "every part is there")
    parts = "; ".join(f"{one.field}: {one.message}" for one in answerer.not_ready.fields)
    missing = ", ".join(one.field for one in answerer.not_ready.fields)
    logs = observed.machine.data_dir / "log" if observed.machine.data_dir else "var/log"
    return wrong(
        "readiness",
        parts or str(answerer.not_ready),
        f"The station is missing {missing or 'parts'} and goes on trying; its logs ({logs}) say"
        " why.",
    )


def clock(observed: Observed) -> Finding | None:
    """Whether both clocks agree: times that a sender gives are times of the station's clock."""
    answerer = observed.answerer
    if answerer is None or not answerer.is_station or answerer.skew_seconds is None:
        return None
    skew = answerer.skew_seconds
    if abs(skew) > _SKEW_SECONDS:
        ahead = "ahead of" if skew > 0 else "behind"
        return warning(
            "clock",
            f"The station's clock is {abs(skew):.0f} s {ahead} this machine's",
            "Set the wrong one: `timedatectl set-ntp true` there. Until then deliver_at and tokens"
            " mean another moment.",
        )
    return fine("clock", f"agrees with the station's within {_SKEW_SECONDS:.0f} s")


def token(observed: Observed) -> Finding | None:
    """Whether the station takes the token, for whom, and until when."""
    answerer, found = observed.answerer, observed.settings.configuration
    if answerer is None or found is None or answerer.asks_for_tokens is None:
        return None
    if not answerer.asks_for_tokens:
        ignored = "; yours is not looked at" if found.token else ""
        return fine("token", f"the station asks nobody for one{ignored}")
    if observed.caller is None:
        return None
    if isinstance(observed.caller, Principal):
        return _taken(observed, observed.caller)
    return _refused(found, observed.caller)


def websocket(observed: Observed) -> Finding | None:
    """Whether a WebSocket gets through."""
    trial = observed.websocket
    if trial is None:
        return None
    return _of_trial(
        "websocket",
        trial,
        done="opens and greets",
        mend="A proxy in between has to pass upgrades on (nginx: proxy_http_version 1.1, Upgrade"
        " and Connection headers). Without it only streams don't work; inboxes do.",
    )


def round_trip(observed: Observed) -> Finding | None:
    """Whether a message goes all the way."""
    trial = observed.round_trip
    if trial is None:
        return None
    if trial.taken_by_another:
        return fine("round trip", "a message arrived; another consumer of this agent took it")
    return _of_trial(
        "round trip",
        trial,
        done="a message was sent, received and acknowledged",
        mend="Look at readiness: routing delivers. `waystation stats` shows where messages wait.",
    )


def _of_trial(name: str, trial: Trial, *, done: str, mend: str) -> Finding:
    if trial.why_not is not None:
        return skipped(name, trial.why_not)
    if trial.error is not None:
        return wrong(name, trial.error, mend)
    return fine(name, f"{done} in {trial.took_ms or 0:.0f} ms")


def _refused(found: Configuration, error: WaystationError) -> Finding:
    if not isinstance(error, UnauthenticatedError):
        return wrong("token", f"It could not be checked: {error}", "See readiness.")
    if not found.token:
        return wrong(
            "token",
            "The station asks for a token, and none is configured",
            "Get one from an admin (`waystation keys create NAME --scope agent:ID`), then"
            " `waystation profiles add NAME --token-file FILE`, or set WAYSTATION_TOKEN_FILE.",
        )
    origin = found.origins.get("token", "an argument")
    return wrong(
        "token",
        f"The station does not take the token from {origin}: it is wrong, has expired or was"
        " revoked",
        "Ask an admin for another: `waystation keys create NAME --scope agent:ID`.",
    )


def _taken(observed: Observed, caller: Principal) -> Finding:
    said = f"{caller.name} with {', '.join(caller.scopes) or 'no scopes'}"
    if caller.expires_at is None:
        return fine("token", f"{said}; never ends")
    left = (caller.expires_at - observed.now).total_seconds()
    ends = f"{said}; ends {caller.expires_at:%Y-%m-%d %H:%M} UTC"
    if left < _ENDS_SOON_SECONDS:
        return warning(
            "token", ends, "Have it replaced without a gap: `waystation keys rotate KEY`."
        )
    return fine("token", ends)
