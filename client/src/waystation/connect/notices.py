"""What a hook says about waiting messages, in the words of each client's protocol.

It names who wrote and how urgently, and never what: a body is another agent's text, and belongs
into the answer of a tool that was asked for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

_NUMBERS: Final = {"urgent": 9, "high": 7, "normal": 5, "low": 3}
_MOST_SENDERS: Final = 5
_REMEMBERED: Final = 1000


class Event(Enum):
    """When a client calls its hook."""

    SESSION_START = "session-start"
    PROMPT = "prompt"
    STOP = "stop"


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A message that waits, as far as a notice is about it."""

    id: str
    sender: str
    priority: str | int
    """0 to 9, or the name of one."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """Ids of messages that a session has heard of: in passing, and when it was about to stop."""

    mentioned: Sequence[str] = ()
    insisted: Sequence[str] = ()


def notice(
    event: Event, waiting: Sequence[Waiting], told: Told, *, is_continuing: bool
) -> tuple[str, Told]:
    """What to say at an event, empty for nothing, and what the session has heard then.

    A message is mentioned once, and holds a session back from stopping once. A session that goes on
    because it was held back (`is_continuing`) may stop: two agents who answer each other would
    else never end.
    """
    if event is Event.STOP:
        new = [] if is_continuing else _without(waiting, told.insisted)
        heard = Told(mentioned=_with(told.mentioned, new), insisted=_with(told.insisted, new))
    else:
        everything = event is Event.SESSION_START
        new = list(waiting) if everything else _without(waiting, told.mentioned)
        heard = Told(mentioned=_with(told.mentioned, new), insisted=told.insisted)
    return (_sentence(event, new) if new else ""), heard


def _without(waiting: Sequence[Waiting], known: Sequence[str]) -> list[Waiting]:
    return [one for one in waiting if one.id not in known]


def _with(known: Sequence[str], new: Sequence[Waiting]) -> list[str]:
    ids = [*known, *(one.id for one in new if one.id not in known)]
    return ids[-_REMEMBERED:]


def _sentence(event: Event, waiting: Sequence[Waiting]) -> str:
    senders = list(dict.fromkeys(one.sender for one in waiting))
    names = ", ".join(senders[:_MOST_SENDERS])
    if len(senders) > _MOST_SENDERS:
        names += f" and {len(senders) - _MOST_SENDERS} more"
    priority = max((one.priority for one in waiting), key=_number)
    urgency = f", priority {priority}" if _number(priority) > _NUMBERS["normal"] else ""
    count = "1 message waits" if len(waiting) == 1 else f"{len(waiting)} messages wait"
    them = "it" if len(waiting) == 1 else "them"
    when = "before you stop" if event is Event.STOP else "when the work at hand allows"
    advice = f"Take {them} with bus_wait {when}."
    return f"Waystation: {count} for you (from {names}{urgency}). {advice}"


def _number(priority: str | int) -> int:
    return priority if isinstance(priority, int) else _NUMBERS.get(priority, _NUMBERS["normal"])


def _of_claude(event: Event, text: str, given: Mapping[str, Any]) -> str:
    """Claude Code's protocol, which Codex took over word for word."""
    if event is Event.STOP:
        return json.dumps({"decision": "block", "reason": text})
    names = {Event.SESSION_START: "SessionStart", Event.PROMPT: "UserPromptSubmit"}
    name = given.get("hook_event_name") or names[event]
    return json.dumps({"hookSpecificOutput": {"hookEventName": name, "additionalContext": text}})


def _of_gemini(event: Event, text: str, given: Mapping[str, Any]) -> str:
    if event is Event.STOP:
        return json.dumps({"decision": "deny", "reason": text})
    names = {Event.SESSION_START: "SessionStart", Event.PROMPT: "BeforeAgent"}
    name = given.get("hook_event_name") or names[event]
    return json.dumps({"hookSpecificOutput": {"hookEventName": name, "additionalContext": text}})


def _of_opencode(event: Event, text: str, given: Mapping[str, Any]) -> str:
    """Plain text: our own plugin reads it."""
    del event, given
    return text


PROTOCOLS: Final[dict[str, Callable[[Event, str, Mapping[str, Any]], str]]] = {
    "claude": _of_claude,
    "codex": _of_claude,
    "gemini": _of_gemini,
    "opencode": _of_opencode,
}
"""How each client wants to be told."""
