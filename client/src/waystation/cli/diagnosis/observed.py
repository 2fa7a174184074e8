"""What was seen of the configuration, the machine, the way and the station, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from waystation.answers import AgentProfile, Principal, Webhook
from waystation.configuration import Configuration
from waystation.connect.present import Present
from waystation.errors import ProblemError, WaystationError


@dataclass(frozen=True, kw_only=True)
class Machine:
    """This machine, and what is installed here."""

    python: str
    client: str
    mcp: str | None
    """The version of the MCP SDK; None where it is not installed."""
    checkout: Path | None
    """The checkout of a station in which the doctor was called."""
    runs_here: bool
    """Whether a station runs from that checkout's data directory."""
    data_dir: Path | None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the client was told."""

    path: Path
    exists: bool
    error: str | None
    """Why it can't be used."""
    configuration: Configuration | None
    token_mode: int | None
    """The permissions of the file that the token stands in."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """How far one gets towards the station; an error is where it ended."""

    host: str
    port: int
    is_local: bool
    """Whether the address is this machine's loopback."""
    addresses: tuple[str, ...] = ()
    resolve_error: str | None = None
    connect_error: str | None = None
    connect_ms: float | None = None
    tls_error: str | None = None
    tls_ends_at: datetime | None = None
    proxy: str | None = None
    """The proxy that the environment puts in the way, if any; then nobody connects directly."""


@dataclass(frozen=True, kw_only=True)
class Answerer:
    """Who answers at the station's URL."""

    is_station: bool
    said: str
    """How the answer began, for one that is not a station."""
    version: str | None
    answer_ms: float
    skew_seconds: float | None
    """How far the station's clock is ahead of this machine's; None where it sends no date."""
    asks_for_tokens: bool | None
    """None where it could not be told."""
    not_ready: ProblemError | None


@dataclass(frozen=True, kw_only=True)
class Named:
    """The agent of the configuration, as the station knows it; an error is why it does not tell."""

    profile: AgentProfile | None = None
    error: WaystationError | None = None
    waiting: int | None = None
    """How many messages wait in its inbox, up to `COUNTED`; None where that is not told."""
    oldest_seconds: float | None = None
    dead_letters: int | None = None
    webhook: Webhook | None = None


COUNTED = 100
"""As far as the doctor counts."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Something that was tried; not tried where `why_not` says so."""

    why_not: str | None = None
    error: str | None = None
    took_ms: float | None = None
    taken_by_another: bool = False
    """The message went to another consumer of the same agent."""


@dataclass(frozen=True, kw_only=True)
class Observed:
    """All that was seen; what could not be looked at, because of what was seen before, is None."""

    machine: Machine
    clients: tuple[Present, ...] = ()
    """The agent CLIs that are installed here, each with whom it is connected as."""
    settings: Settings
    way: Way | None = None
    answerer: Answerer | None = None
    unreachable: str | None = None
    """Why nothing answered over HTTP although the way was open."""
    caller: Principal | WaystationError | None = None
    named: Named | None = None
    websocket: Trial | None = None
    round_trip: Trial | None = None
    now: datetime
