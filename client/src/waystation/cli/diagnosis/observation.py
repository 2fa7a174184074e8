"""Looks at everything once, from near to far, and goes no further than what was seen allows."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import aiohttp

from waystation.answers import Principal
from waystation.cli.diagnosis import here, there, trials
from waystation.cli.diagnosis.observed import COUNTED, Named, Observed, Trial
from waystation.configuration import Configuration
from waystation.errors import WaystationError, WebhookNotFoundError
from waystation.station import AsyncStation
from waystation.transport import Retrying
from waystation.version import __version__

_SECONDS: Final = 10


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the doctor is asked to look at: the options of the call, and whether it may send."""

    url: str | None = None
    agent: str | None = None
    token_file: str | None = None
    profile: str | None = None
    sends: bool = True


async def observe(asked: Asked) -> Observed:
    """Look; whatever fails is seen, and nothing is raised for it."""
    clients = asyncio.create_task(asyncio.to_thread(here.clients, Path.cwd()))
    seen = Observed(
        machine=here.machine(Path.cwd()),
        settings=here.settings(
            url=asked.url, agent=asked.agent, token_file=asked.token_file, profile=asked.profile
        ),
        now=datetime.now(UTC),
    )
    found = seen.settings.configuration
    if found is not None:
        seen = await _with_way(seen, found, sends=asked.sends)
    return replace(seen, clients=await clients)


async def _with_way(seen: Observed, found: Configuration, *, sends: bool) -> Observed:
    way = await there.way(found.url)
    seen = replace(seen, way=way)
    if way.resolve_error or way.connect_error or way.tls_error:
        return seen
    seen = await _with_answerer(seen, found.url)
    if seen.answerer is None or not seen.answerer.is_station:
        return seen
    async with AsyncStation(configuration=found, retrying=Retrying(seconds=0)) as station:
        return await _with_station(seen, station, found, sends=sends)


async def _with_answerer(seen: Observed, url: str) -> Observed:
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    headers = {"User-Agent": f"waystation-doctor/{__version__}"}
    async with aiohttp.ClientSession(trust_env=True, timeout=timeout, headers=headers) as session:
        try:
            return replace(seen, answerer=await there.answerer(session, url))
        except TimeoutError:
            return replace(seen, unreachable=f"no answer within {_SECONDS} s")
        except (aiohttp.ClientError, OSError) as error:
            return replace(seen, unreachable=str(error) or type(error).__name__)


async def _with_station(
    seen: Observed, station: AsyncStation, found: Configuration, *, sends: bool
) -> Observed:
    caller = await _caller(station)
    seen = replace(seen, caller=caller)
    if not isinstance(caller, Principal):
        return seen
    if found.agent is not None:
        seen = replace(seen, named=await _named(station, found.agent))
    guarded = seen.answerer is not None and seen.answerer.asks_for_tokens is not False
    async with _subject(station, seen, caller, guarded=guarded) as (subject, why_not):
        if subject is None:
            return replace(
                seen, websocket=Trial(why_not=why_not), round_trip=Trial(why_not=why_not)
            )
        seen = replace(seen, websocket=await trials.try_websocket(station, subject))
        if not sends:
            return replace(seen, round_trip=Trial(why_not="--no-send"))
        return replace(seen, round_trip=await trials.try_round_trip(station, subject))


async def _caller(station: AsyncStation) -> Principal | WaystationError:
    try:
        return await station.me()
    except WaystationError as error:
        return error


async def _named(station: AsyncStation, agent: str) -> Named:
    """What the station tells about the agent; a part that it does not tell stays unknown."""
    try:
        named = Named(profile=await station.agents.get(agent))
    except WaystationError as error:
        return Named(error=error)
    with suppress(WaystationError):  # not the caller's to see
        inbox = await station.messages.fetch(agent, limit=COUNTED, peek=True)
        oldest = min((one.created_at for one in inbox.messages), default=None)
        age = None if oldest is None else (datetime.now(UTC) - oldest).total_seconds()
        named = replace(named, waiting=len(inbox.messages), oldest_seconds=age)
    with suppress(WaystationError):
        letters = await station.dead_letters.list(agent=agent, status="open", limit=COUNTED)
        named = replace(named, dead_letters=len(letters.dead_letters))
    with suppress(WebhookNotFoundError, WaystationError):
        named = replace(named, webhook=await station.webhooks.get(agent))
    return named


@asynccontextmanager
async def _subject(
    station: AsyncStation, seen: Observed, caller: Principal, *, guarded: bool
) -> AsyncIterator[tuple[str | None, str | None]]:
    """The agent to try things with, or why there is none.

    Where anybody may be anybody it is one of the doctor's own, so that nobody's inbox is touched;
    elsewhere the configured one, if the token speaks for it.
    """
    if guarded:
        agent = seen.named.profile.id if seen.named and seen.named.profile else None
        if agent is None:
            yield None, "no registered agent is configured to try it with"
        elif f"agent:{agent}" not in caller.scopes:
            yield None, f"the token does not speak for {agent}"
        else:
            yield agent, None
        return
    agent = f"doctor-{secrets.token_hex(4)}"
    try:
        await station.agents.register(agent)
    except WaystationError as error:
        yield None, f"no agent could be registered to try it with: {error}"
        return
    try:
        yield agent, None
    finally:
        with suppress(WaystationError):  # it is reaped in time, and the trial has said what it saw
            await station.agents.delete(agent)
