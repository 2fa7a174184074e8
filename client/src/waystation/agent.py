"""One agent: whatever it does, it does under its own name."""

from __future__ import annotations

from types import TracebackType
from typing import Self, Unpack

from waystation.answers import Accepted, Delivered
from waystation.blocking import Blocking, blocking
from waystation.configuration import Configuration, configured
from waystation.errors import ConfigurationError
from waystation.resources.agents import Profile
from waystation.resources.messages import SendOptions, Target
from waystation.station import AsyncStation, Station
from waystation.transport import Retrying


class AsyncAgent:
    """An agent at a station; as a context manager it registers, and ends its connections.

    What is not given comes from the environment or a profile: see `waystation.configuration`.
    """

    def __init__(
        self,
        agent_id: str | None = None,
        *,
        url: str | None = None,
        token: str | None = None,
        profile: str | None = None,
        retrying: Retrying | None = None,
        register: bool = True,
        configuration: Configuration | None = None,
        **about: Unpack[Profile],
    ) -> None:
        found = configuration or configured(url=url, agent=agent_id, token=token, profile=profile)
        name = agent_id or found.agent
        if name is None:
            raise ConfigurationError(
                "No agent is named: give its id, set WAYSTATION_AGENT, or name it in a profile."
            )
        self.id = name
        self.station = AsyncStation(configuration=found, retrying=retrying)
        self._registers = register
        self._about = about

    async def send(
        self, to: Target, body: str | None = None, **options: Unpack[SendOptions]
    ) -> Accepted:
        """Send a message; when this returns it is on the station's disk."""
        return await self.station.messages.send(self.id, to, body, **options)

    async def fetch_one(self, *, wait_seconds: float = 20) -> Delivered | None:
        """Lease the next message; None where none comes in time."""
        inbox = await self.station.messages.fetch(self.id, limit=1, wait_seconds=wait_seconds)
        return inbox.messages[0] if inbox.messages else None

    async def start(self) -> None:
        """Register; entering the context does it."""
        if self._registers:
            await self.station.agents.register(self.id, **self._about)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connections."""
        await self.station.close()


class Agent(Blocking[AsyncAgent]):
    """The blocking twin of `AsyncAgent`."""

    def __init__(
        self,
        agent_id: str | None = None,
        *,
        url: str | None = None,
        token: str | None = None,
        profile: str | None = None,
        retrying: Retrying | None = None,
        register: bool = True,
        configuration: Configuration | None = None,
        **about: Unpack[Profile],
    ) -> None:
        super().__init__(
            AsyncAgent(
                agent_id,
                url=url,
                token=token,
                profile=profile,
                retrying=retrying,
                register=register,
                configuration=configuration,
                **about,
            )
        )
        self.id = self._core.id
        self.station = Station.of(self._core.station)

    send = blocking(AsyncAgent.send)
    fetch_one = blocking(AsyncAgent.fetch_one)
    close = blocking(AsyncAgent.close)
    _start = blocking(AsyncAgent.start)

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
