"""Reads a stream of server-sent events (https://html.spec.whatwg.org/#event-stream-interpretation)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from waystation.errors import UnexpectedAnswerError

_LONGEST: Final = 1024 * 1024
"""Bytes of one event; a station's are far shorter."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What stood between two blank lines; `data` is empty where only the place was told."""

    data: bytes
    id: str
    """The last id that was told, in this frame or before."""


class Parser:
    """Takes bytes as they come and gives whole events; holds no more than an unfinished one."""

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        """That of the last whole frame: where to go on after a drop."""
        self._id = last_id
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """What is complete now. Raises `UnexpectedAnswerError` for an event without end."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            frame = self._line(line.removesuffix(b"\r"))
            if frame is not None:
                yield frame
        if len(self._rest) + self._size > _LONGEST:
            raise UnexpectedAnswerError("An event is longer than any that a station tells.")

    def _line(self, line: bytes) -> Frame | None:
        if not line:
            self.last_id = self._id
            frame = Frame(data=b"\n".join(self._data), id=self.last_id)
            self._data.clear()
            self._size = 0
            return frame
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._data.append(value)
                self._size += len(value)
            case b"id" if b"\0" not in value:
                self._id = value.decode(errors="replace")
        return None
