"""Whether a caller may still act as an agent, for what lasts: a key is revoked, a token ends."""

from __future__ import annotations

from collections.abc import Callable

from app.identity import principal, proof
from broker.kernel.clock import system_clock
from broker.kernel.errors import BrokerError, UnauthenticatedError
from broker.kernel.ids import AgentId
from broker.kernel.viewer import Viewer
from broker.security.principal import Principal


class Standing:
    """Who waits, watches or is connected as an agent, proven again from time to time."""

    def __init__(
        self, agent: AgentId | None, proven: Principal, prove: Callable[[], Principal]
    ) -> None:
        """Without an agent it is enough to be known.

        `prove` asks anew who it is; it raises `UnauthenticatedError` if that can't be said.
        """
        self._agent = agent
        self._principal = proven
        self._prove = prove

    @classmethod
    def of_caller(cls, agent: AgentId | None = None) -> Standing:
        """That of who makes the current request. Raises as `principal` does."""
        return cls(agent, principal(), proof())

    @property
    def viewer(self) -> Viewer:
        """Whose things it may see."""
        return self._principal.viewer

    def check(self) -> None:
        """Raise `UnauthenticatedError` once it may not act as the agent any more.

        As long as nobody can say (the keys can't be read), what was proven last holds, until its
        own end.
        """
        try:
            self._principal = self._prove()
        except BrokerError as error:
            if error.permanent:
                raise
        ends_at = self._principal.expires_at
        if ends_at is not None and ends_at <= system_clock():
            raise UnauthenticatedError("The token has ended. Come again with another.")
        if self._agent is not None and not self._principal.may_act_as(self._agent):
            raise UnauthenticatedError("The key no longer speaks for this agent.")
