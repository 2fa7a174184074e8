"""Looks for waiting messages when a client says that something happened, in two seconds at most.

Only the standard library speaks HTTP here: a hook runs at every prompt, and loading a client for
connections that stay open would take longer than the call.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from waystation.configuration import Configuration
from waystation.connect.files import replace
from waystation.connect.notices import PROTOCOLS, Event, Told, Waiting, notice
from waystation.errors import WaystationError

BUDGET_SECONDS: Final = 2.0
_AT_MOST: Final = 20
_LARGEST_ANSWER: Final = 32 * 2**20
_KEPT_SECONDS: Final = 7 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class Hook:
    """One call of a hook."""

    client: str
    event: Event
    configuration: Configuration
    state: Path
    """Where it keeps what each session has heard."""

    def answer(self, read: Callable[[], str], *, budget_seconds: float = BUDGET_SECONDS) -> str:
        """What to print; nothing where nothing waits, or something does not answer in time.

        Args:
            read: gives the client's account of the event; it may block.
            budget_seconds: how long all of it may take.
        """
        said: list[str] = []

        def look() -> None:
            # Whatever goes wrong, the user's work goes on; `waystation doctor` is who tells.
            with suppress(OSError, HTTPException, ValueError, KeyError, TypeError, WaystationError):
                said.append(self._look(read))

        looking = threading.Thread(target=look, daemon=True)
        looking.start()
        looking.join(budget_seconds)
        return said[0] if said else ""

    def _look(self, read: Callable[[], str]) -> str:
        given = _object(read() or "{}")
        waiting = self._waiting()
        memory = self._memory(str(given.get("session_id", "")))
        if self.event is Event.SESSION_START:
            self._sweep()
        told = _recalled(memory)
        is_continuing = given.get("stop_hook_active") is True
        text, heard = notice(self.event, waiting, told, is_continuing=is_continuing)
        if heard != told:
            memory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace(memory, json.dumps(vars(heard)))
        return PROTOCOLS[self.client](self.event, text, given) if text else ""

    def _waiting(self) -> list[Waiting]:
        """The messages in the inbox; looking is a sign of life too."""
        url = urlsplit(self.configuration.url)
        kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
        connection = kind(url.hostname or "", url.port, timeout=BUDGET_SECONDS)
        headers = {"Content-Type": "application/json"}
        if self.configuration.token:
            headers["Authorization"] = f"Bearer {self.configuration.token}"
        agent = f"{url.path}/api/v1/agents/{quote(self.configuration.agent or '', safe='')}"
        try:
            connection.request("POST", f"{agent}/heartbeat", "{}", headers)
            connection.getresponse().read(_LARGEST_ANSWER)
            connection.request("GET", f"{agent}/inbox?peek=true&limit={_AT_MOST}", headers=headers)
            inbox = _object(connection.getresponse().read(_LARGEST_ANSWER))
        finally:
            connection.close()
        return [
            Waiting(id=one["id"], sender=one["from"], priority=one["priority"])
            for one in inbox.get("messages", ())
        ]

    def _memory(self, session: str) -> Path:
        """The file of what a session has heard."""
        named = "\n".join((self.configuration.url, self.configuration.agent or "", session))
        return self.state / f"{hashlib.sha256(named.encode()).hexdigest()[:24]}.json"

    def _sweep(self) -> None:
        """Forget sessions of last week."""
        if not self.state.is_dir():
            return
        oldest = time.time() - _KEPT_SECONDS
        for file in self.state.glob("*.json"):
            if file.stat().st_mtime < oldest:
                file.unlink(missing_ok=True)


def _recalled(memory: Path) -> Told:
    try:
        return Told(**json.loads(memory.read_text()))
    except (OSError, ValueError, TypeError):
        return Told()


def _object(text: str | bytes) -> Mapping[str, Any]:
    value = json.loads(text)
    return value if isinstance(value, dict) else {}
