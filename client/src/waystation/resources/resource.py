"""What all resources have in common."""

from __future__ import annotations

from waystation.transport import Transport


class AsyncResource:
    """Calls about one sort of thing, over a transport that others share."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
