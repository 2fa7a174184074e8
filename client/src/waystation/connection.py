"""One WebSocket to a station: frames that go out, and the answers that come back (SPEC T2)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from typing import Final

import aiohttp
import msgspec

from waystation.answers import Delivered, Problem
from waystation.errors import (
    ProblemError,
    UnexpectedAnswerError,
    UnreachableError,
    WaystationError,
    error_of,
)
from waystation.transport import Transport, at

_HEARTBEAT_SECONDS: Final = 20.0
"""A connection that answers no ping for half as long is taken for broken."""
_HELLO_SECONDS: Final = 15.0
_FRAME_BYTES: Final = 64 * 1024 * 1024
_CODES: Final = {
    4401: (401, "unauthenticated", "Unauthenticated"),
    4404: (404, "unknown_agent", "Unknown agent"),
    4409: (409, "stale_epoch", "Stale epoch"),
}
_BAD_FRAMES: Final = 4400


class _Frame(msgspec.Struct, kw_only=True):
    """What a frame from the station says, whatever its type."""

    type: str
    ref: int | str | None = None
    epoch: int | None = None
    message: msgspec.Raw = msgspec.Raw()
    problem: Problem | None = None
    retry_after_seconds: float | None = None


class Connection:
    """An open connection of one agent.

    `on_message` is given what is pushed, on the event loop.
    """

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        on_message: Callable[[Delivered], object],
    ) -> None:
        self._socket = socket
        self._on_message = on_message
        self._refs = itertools.count(1)
        self._answers: dict[int, asyncio.Future[bytes]] = {}
        self._said: ProblemError | None = None
        self._greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reading = asyncio.get_running_loop().create_task(self._read())

    @classmethod
    async def open(
        cls,
        transport: Transport,
        agent_id: str,
        hello: Mapping[str, object],
        on_message: Callable[[Delivered], object],
    ) -> Connection:
        """Connect, and exchange hellos.

        Raises `UnreachableError` where another try may help, else what the station refused with.
        """
        try:
            socket = await transport.session.ws_connect(
                f"{transport.configuration.url}/ws{at(agent_id)}",
                heartbeat=_HEARTBEAT_SECONDS,
                max_msg_size=_FRAME_BYTES,
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnreachableError(f"No WebSocket to the station: {error}") from error
        connection = cls(socket, on_message)
        try:
            await connection.tell({"type": "hello", **hello})
            async with asyncio.timeout(_HELLO_SECONDS):
                await asyncio.shield(connection._greeted)
        except TimeoutError as error:
            await connection.close()
            raise UnreachableError("The station says no hello on its WebSocket.") from error
        except BaseException:
            await connection.close()
            raise
        return connection

    async def ended(self) -> None:
        """Wait for the end; raise what makes another connection pointless."""
        await asyncio.shield(self._reading)

    async def tell(self, frame: Mapping[str, object]) -> None:
        """Send a frame. Raises `UnreachableError`."""
        try:
            await self._socket.send_str(msgspec.json.encode(frame).decode())
        except (ConnectionError, aiohttp.ClientError) as error:
            raise UnreachableError(f"The WebSocket has broken: {error}") from error

    async def ask(self, frame: Mapping[str, object]) -> bytes:
        """Send a frame, and wait for the answer to it.

        Raises `ProblemError`, or `UnreachableError` where the connection ends before the answer.
        """
        if self._reading.done():
            raise UnreachableError("The WebSocket has ended.")
        ref = next(self._refs)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers[ref] = answer
        try:
            await self.tell({**frame, "ref": ref})
            return await answer
        finally:
            del self._answers[ref]

    async def close(self) -> None:
        """End it."""
        await self._socket.close()
        self._reading.cancel()
        await asyncio.wait([self._reading])
        if not self._reading.cancelled():
            self._reading.exception()  # has been told, or nobody asks any more

    # --- reading -----------------------------------------------------------------------------

    async def _read(self) -> None:
        try:
            async for frame in self._socket:
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    continue
                self._take(frame.data.encode())
            if (final := self._final_error()) is not None:
                raise final
        finally:
            self._leave_waiting()

    def _take(self, raw: bytes) -> None:
        try:
            frame = msgspec.json.decode(raw, type=_Frame)
            if frame.type == "message":
                self._on_message(msgspec.json.decode(frame.message, type=Delivered))
                return
        except msgspec.DecodeError as error:
            raise UnexpectedAnswerError(f"A frame is not what a station says: {error}") from error
        if frame.type == "hello" and not self._greeted.done():
            self._greeted.set_result(None)
        waiting = self._answers.get(frame.ref) if isinstance(frame.ref, int) else None
        if frame.type == "error" and frame.problem is not None:
            refusal = error_of(frame.problem, retry_after_seconds=frame.retry_after_seconds)
            if waiting is None:
                self._said = refusal
            elif not waiting.done():
                waiting.set_exception(refusal)
        elif frame.type == "ok" and waiting is not None and not waiting.done():
            waiting.set_result(raw)

    def _final_error(self) -> WaystationError | None:
        code = self._socket.close_code
        if code == _BAD_FRAMES:
            return UnexpectedAnswerError("The station does not understand this client's frames.")
        if code not in _CODES:
            return None
        status, name, title = _CODES[code]
        if self._said is not None and self._said.status == status:
            return self._said
        return error_of(
            Problem(
                code=name,
                detail=f"The station has closed the WebSocket: {title.lower()}.",
                errors=[],
                status=status,
                title=title,
                type=f"urn:waystation:problem:{name}",
            )
        )

    def _leave_waiting(self) -> None:
        """Nobody is to wait for an answer that can't come any more."""
        broken = UnreachableError("The WebSocket has ended before the answer.")
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(broken)
        if not self._greeted.done():
            self._greeted.set_exception(broken)
            self._greeted.exception()  # whoever opened it may have given up
