"""Tries what agents do: a WebSocket, and a message that goes all the way."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Final

import aiohttp
import msgspec

from waystation.answers import Delivered
from waystation.cli.diagnosis.observed import Trial
from waystation.errors import WaystationError
from waystation.station import AsyncStation
from waystation.transport import at

_SECONDS: Final = 10.0
_KIND: Final = "doctor"


async def try_websocket(station: AsyncStation, agent: str) -> Trial:
    """Open a connection that takes no messages, and wait for the greeting."""
    began = time.monotonic()
    url = f"{station.configuration.url}{at('ws', agent)}"
    try:
        async with asyncio.timeout(_SECONDS), station.transport.session.ws_connect(url) as socket:
            await socket.send_json({"type": "hello", "credit": 0})
            greeting = await socket.receive()
    except aiohttp.WSServerHandshakeError as error:
        return Trial(error=f"The handshake was answered {error.status}: {error.message}")
    except TimeoutError:
        return Trial(error=f"Nothing came within {_SECONDS:.0f} s: something holds it up")
    except (aiohttp.ClientError, OSError) as error:
        return Trial(error=f"It does not open: {error}")
    if greeting.type is not aiohttp.WSMsgType.TEXT or not _is_hello(greeting.data):
        return Trial(error=f"It opens, but no greeting comes: {greeting.data!s:.120}")
    return Trial(took_ms=(time.monotonic() - began) * 1000)


async def try_round_trip(station: AsyncStation, agent: str) -> Trial:
    """Send the agent a message from itself, fetch that one and no other, and acknowledge it."""
    kind = f"{_KIND}.{secrets.token_hex(8)}"
    began = time.monotonic()
    try:
        sent = await station.messages.send(
            agent,
            agent,
            "A message from `waystation doctor`, which takes it back itself.",
            kind=kind,
            ttl_seconds=60,
        )
        message = await _fetched(station, agent, kind)
        if message is None or message.lease is None:
            return await _missed(station, sent.id)
        await station.messages.ack(message.id, agent_id=agent, lease_token=message.lease.token)
    except WaystationError as error:
        return Trial(error=str(error))
    return Trial(took_ms=(time.monotonic() - began) * 1000)


async def _fetched(station: AsyncStation, agent: str, kind: str) -> Delivered | None:
    inbox = await station.messages.fetch(agent, limit=1, kinds=(kind,), wait_seconds=_SECONDS)
    return inbox.messages[0] if inbox.messages else None


async def _missed(station: AsyncStation, message_id: str) -> Trial:
    """Why the message did not come; it is withdrawn if it still waits."""
    receipts = await station.messages.receipts(message_id)
    if any(one.delivered_at is not None for one in receipts):
        return Trial(taken_by_another=True)
    state = ", ".join(one.status for one in receipts) or "accepted"
    await station.messages.cancel(message_id)
    return Trial(error=f"A message did not arrive within {_SECONDS:.0f} s; it is {state}")


def _is_hello(data: str) -> bool:
    try:
        frame = msgspec.json.decode(data, type=dict[str, object])
    except msgspec.DecodeError:
        return False
    return frame.get("type") == "hello"
