"""What an example shows, compared with what was printed.

`…` stands for anything within a line, alone on a line for any lines. An id stands for any id of its
kind, a time for any time, an event's place in the stream for any such. How much space is between
words does not matter.
"""

from __future__ import annotations

import re
from typing import Final

_ID: Final = r"[a-z]+_[0-7][0-9A-HJKMNP-TV-Z]{25}"
_TIME: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"
_EVENT: Final = r"\d{13}-\d+(?:-\d+)?"
_PLACEHOLDER: Final = re.compile(
    rf"(?P<some>…)|(?P<id>{_ID})|(?P<time>{_TIME})|(?P<event>{_EVENT})"
)
_KINDS: Final = {"some": ".*?", "time": _TIME, "event": _EVENT}


def matches(shown: str, printed: str) -> bool:
    """Whether this was printed, and nothing else."""
    pattern = ""
    for line in _lines(shown):
        pattern += r"(?:.*\n)*?" if line == "…" else f"{_pattern(line)}\n"
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(printed))) is not None


def matches_json(shown: str, printed: str) -> bool:
    """The same for JSON, which may be spread over lines in any way."""
    return re.fullmatch(_pattern(_dense(shown)), _dense(printed), re.DOTALL) is not None


def _lines(text: str) -> list[str]:
    lines = [" ".join(line.split()) for line in text.strip().splitlines()]
    return [line for line in lines if line]


def _dense(text: str) -> str:
    return "".join(text.split())


def _pattern(text: str) -> str:
    pattern, end = "", 0
    for found in _PLACEHOLDER.finditer(text):
        pattern += re.escape(text[end : found.start()])
        if found["id"]:
            pattern += f"{found['id'].partition('_')[0]}_{_ID.partition('_')[2]}"
        else:
            pattern += _KINDS[str(found.lastgroup)]
        end = found.end()
    return pattern + re.escape(text[end:])
