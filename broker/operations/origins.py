"""Who sent the messages that events name: looked up once for all who watch."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from typing import Final

from broker.kernel.ids import MessageId
from broker.messaging.message import Envelope
from broker.operations.interest import Origin

_REMEMBERED: Final = 20_000


class RememberedOrigins:
    """Answers from memory where it can; callers that ask for the same at once cause one trip."""

    def __init__(self, read: Callable[[Sequence[MessageId]], list[Envelope | None]]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._known: OrderedDict[MessageId, Origin] = OrderedDict()

    def of(self, ids: Collection[MessageId]) -> dict[MessageId, Origin]:
        """The origins of those messages that are stored, or were when they were last asked for."""
        with self._lock:
            missing = [identifier for identifier in ids if identifier not in self._known]
            for envelope in self._read(missing) if missing else ():
                if envelope is not None:
                    self._known[envelope.id] = Origin(envelope.sender, envelope.thread)
            found = {
                identifier: self._known[identifier]
                for identifier in ids
                if identifier in self._known
            }
            for identifier in found:
                self._known.move_to_end(identifier)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            return found
