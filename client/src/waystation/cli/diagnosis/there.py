"""Looks at the way to the station, and at who answers at its end."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import socket
import ssl
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from waystation.cli.diagnosis.observed import Answerer, Way
from waystation.errors import ProblemError
from waystation.transport import PREFIX, refused

_SECONDS: Final = 5.0
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_UNAUTHENTICATED: Final = 401
_OK: Final = 200


async def way(url: str) -> Way:
    """How far one gets towards this URL; stops where it ends."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]
    proxy = _proxy(parts.scheme, parts.netloc)
    seen = Way(host=host, port=port, is_local=_is_local(host), proxy=proxy)
    if proxy is not None:
        return seen
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return replace(seen, resolve_error=_sentence(error))
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    seen = replace(seen, addresses=addresses)
    began = time.monotonic()
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), _SECONDS)
    except TimeoutError:
        return replace(seen, connect_error=f"no answer within {_SECONDS:.0f} s")
    except OSError as error:
        return replace(seen, connect_error=_sentence(error))
    writer.close()
    seen = replace(seen, connect_ms=(time.monotonic() - began) * 1000)
    return seen if parts.scheme == "http" else await _with_tls(seen)


async def answerer(session: aiohttp.ClientSession, url: str) -> Answerer:
    """Who answers at this URL. Raises `aiohttp.ClientError` or `TimeoutError` if nobody does."""
    began, asked_at = time.monotonic(), datetime.now(UTC)
    async with session.get(f"{url}/health") as response:
        said = await response.text(errors="replace")
        took = time.monotonic() - began
        date, alive = _date(response.headers), response.status == _OK and _is_alive(said)
        server = response.headers.get("Server", "an unnamed server")
    version = await _version(session, url) if alive else None
    return Answerer(
        is_station=alive and version is not None,
        said=f"{server} says {response.status} {response.reason or ''}".strip(),
        version=version,
        answer_ms=took * 1000,
        skew_seconds=None if date is None else _skew(date, asked_at, took),
        asks_for_tokens=await _asks_for_tokens(session, url) if alive else None,
        not_ready=await _not_ready(session, url) if alive else None,
    )


async def _with_tls(seen: Way) -> Way:
    try:
        _, writer = await asyncio.wait_for(
            asyncio.open_connection(seen.host, seen.port, ssl=ssl.create_default_context()),
            _SECONDS,
        )
    except TimeoutError:
        return replace(seen, tls_error=f"no handshake within {_SECONDS:.0f} s")
    except ssl.SSLCertVerificationError as error:
        return replace(seen, tls_error=error.verify_message)
    except OSError as error:
        return replace(seen, tls_error=_sentence(error))
    certificate = writer.get_extra_info("peercert") or {}
    writer.close()
    ends = certificate.get("notAfter")
    ends_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) if ends else None
    return replace(seen, tls_ends_at=ends_at)


def _proxy(scheme: str, netloc: str) -> str | None:
    """The proxy that the environment names for this host, without the password for it."""
    named = urllib.request.getproxies().get(scheme)
    if named is None or urllib.request.proxy_bypass(netloc):
        return None
    parts = urlsplit(named)
    return f"{parts.hostname or named}{f':{parts.port}' if parts.port else ''}"


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _sentence(error: OSError) -> str:
    """Why, without Python's wrapping; of several addresses each has its own."""
    return os.strerror(error.errno).lower() if error.errno else str(error)


def _date(headers: Mapping[str, str]) -> datetime | None:
    try:
        return parsedate_to_datetime(headers["Date"])
    except (KeyError, ValueError):
        return None


def _skew(date: datetime, asked_at: datetime, took_seconds: float) -> float:
    """How far the other clock is ahead; its date is cut to the second, so half of one is added."""
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return (date - asked_at).total_seconds() + 0.5 - took_seconds / 2


def _is_alive(said: str) -> bool:
    try:
        document = json.loads(said)
    except ValueError:
        return False
    return isinstance(document, dict) and document.get("status") == "alive"


async def _version(session: aiohttp.ClientSession, url: str) -> str | None:
    """The version in the OpenAPI document, which only a station has here."""
    async with session.get(f"{url}{PREFIX}/openapi.json") as response:
        try:
            document = await response.json(content_type=None)
        except ValueError:
            return None
    info = document.get("info") if isinstance(document, dict) else None
    return str(info.get("version")) if isinstance(info, dict) else None


async def _asks_for_tokens(session: aiohttp.ClientSession, url: str) -> bool | None:
    async with session.get(f"{url}{PREFIX}/me") as response:
        if response.status == _UNAUTHENTICATED:
            return True
        return False if response.status == _OK else None


async def _not_ready(session: aiohttp.ClientSession, url: str) -> ProblemError | None:
    async with session.get(f"{url}/health/ready") as response:
        if response.status == _OK:
            return None
        refusal = refused(response.status, await response.read(), response.headers)
    return refusal if isinstance(refusal, ProblemError) else None
