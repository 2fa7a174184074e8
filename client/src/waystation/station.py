"""A station as its callers have it: every resource as an attribute."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from waystation.answers import Alive, Principal
from waystation.blocking import Blocking, blocking
from waystation.configuration import Configuration, configured
from waystation.resources.agents import AsyncAgents, BlockingAgents
from waystation.resources.channels import AsyncChannels, BlockingChannels
from waystation.resources.claims import AsyncClaims, BlockingClaims
from waystation.resources.dead_letters import AsyncDeadLetters, BlockingDeadLetters
from waystation.resources.direct_messages import AsyncDirectMessages, BlockingDirectMessages
from waystation.resources.discovery import AsyncDiscovery, BlockingDiscovery
from waystation.resources.events import AsyncEvents, BlockingEvents
from waystation.resources.health import AsyncHealth, BlockingHealth
from waystation.resources.invitations import AsyncInvitations, BlockingInvitations
from waystation.resources.keys import AsyncKeys, BlockingKeys
from waystation.resources.messages import AsyncMessages, BlockingMessages
from waystation.resources.recurring import AsyncRecurring, BlockingRecurring
from waystation.resources.threads import AsyncThreads, BlockingThreads
from waystation.resources.tickets import AsyncTickets, BlockingTickets
from waystation.resources.webhooks import AsyncWebhooks, BlockingWebhooks
from waystation.transport import Call, Retrying, Transport, at


class AsyncStation:
    """A station, for calls that are not one agent's own.

    What is not given comes from the environment or a profile: see `waystation.configuration`.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        profile: str | None = None,
        retrying: Retrying | None = None,
        configuration: Configuration | None = None,
    ) -> None:
        self.configuration = configuration or configured(url=url, token=token, profile=profile)
        self.transport = Transport(self.configuration, retrying=retrying)
        self.agents = AsyncAgents(self.transport)
        self.messages = AsyncMessages(self.transport)
        self.threads = AsyncThreads(self.transport)
        self.channels = AsyncChannels(self.transport)
        self.direct_messages = AsyncDirectMessages(self.transport)
        self.tickets = AsyncTickets(self.transport)
        self.claims = AsyncClaims(self.transport)
        self.dead_letters = AsyncDeadLetters(self.transport)
        self.recurring = AsyncRecurring(self.transport)
        self.keys = AsyncKeys(self.transport)
        self.invitations = AsyncInvitations(self.transport)
        self.webhooks = AsyncWebhooks(self.transport)
        self.discovery = AsyncDiscovery(self.transport)
        self.health = AsyncHealth(self.transport)
        self.events = AsyncEvents(self.transport)

    async def me(self) -> Principal:
        """Who the station takes the caller for."""
        return await self.transport.ask(Call(method="GET", path=at("me")), Principal)

    async def alive(self) -> Alive:
        """Whether the station's web server answers at all, now."""
        call = Call(method="GET", path=at("health"), prefix="", once=True)
        return await self.transport.ask(call, Alive)

    async def close(self) -> None:
        """End the connections."""
        await self.transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


class Station(Blocking[AsyncStation]):
    """The blocking twin of `AsyncStation`."""

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        profile: str | None = None,
        retrying: Retrying | None = None,
        configuration: Configuration | None = None,
    ) -> None:
        core = AsyncStation(
            url, token=token, profile=profile, retrying=retrying, configuration=configuration
        )
        self._stand_on(core)

    @classmethod
    def of(cls, core: AsyncStation) -> Self:
        """The twin of a station that is there already."""
        twin = cls.__new__(cls)
        cls._stand_on(twin, core)
        return twin

    def _stand_on(self, core: AsyncStation) -> None:
        super().__init__(core)
        self.configuration = core.configuration
        self.agents = BlockingAgents(core.agents)
        self.messages = BlockingMessages(core.messages)
        self.threads = BlockingThreads(core.threads)
        self.channels = BlockingChannels(core.channels)
        self.direct_messages = BlockingDirectMessages(core.direct_messages)
        self.tickets = BlockingTickets(core.tickets)
        self.claims = BlockingClaims(core.claims)
        self.dead_letters = BlockingDeadLetters(core.dead_letters)
        self.recurring = BlockingRecurring(core.recurring)
        self.keys = BlockingKeys(core.keys)
        self.invitations = BlockingInvitations(core.invitations)
        self.webhooks = BlockingWebhooks(core.webhooks)
        self.discovery = BlockingDiscovery(core.discovery)
        self.health = BlockingHealth(core.health)
        self.events = BlockingEvents(core.events)

    me = blocking(AsyncStation.me)
    alive = blocking(AsyncStation.alive)
    close = blocking(AsyncStation.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
