"""What a connection knows of the agent at its other end."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from app.allowances import Spend
from app.standing import Standing
from app.websocket.frames import Hello, Ref
from app.websocket.window import Window
from broker.kernel.errors import ConflictError
from broker.kernel.ids import AgentId


@dataclass(kw_only=True)
class Client:
    """An agent, the session that it claims (SPEC R8), and what it may hold unfinished.

    Without an instance nothing of the connection can be resumed; without an epoch it claims no
    session, and a newer one does not end it. `begun` is whether the server has said hello to what
    is known by now.
    """

    agent: AgentId
    standing: Standing
    spend: Spend
    instance_id: str | None = None
    epoch: int | None = None
    window: Window = field(default_factory=Window)
    greeted: bool = False
    greeting_ref: Ref | None = None
    begun: bool = False
    _name: str = field(default_factory=lambda: f"connection:{secrets.token_hex(8)}")

    @property
    def holder(self) -> str:
        """Under which name it holds leases: its instance's, or else one of the connection alone."""
        return self.instance_id or self._name

    def greet(self, hello: Hello, ref: Ref | None) -> None:
        """Take what a hello says; what was pushed before it stays as it was."""
        if self.greeted:
            raise ConflictError("A connection takes one hello. Open another to change it.")
        self.greeted = True
        self.greeting_ref = ref
        self.instance_id = hello.instance_id
        self.epoch = hello.epoch
        self.window.credit = hello.credit
        self.begun = False
