"""Arguments that several tools take."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

WAIT_SECONDS: Final = 45
"""Below the shortest patience of a client that is told nothing else: 60 s in the official
TypeScript SDK, and so in OpenCode and Claude Desktop; Codex cuts a call after 300 s."""

MAX_WAIT_SECONDS: Final = 600
PAGE: Final = 20

Id = Annotated[str, Field(min_length=1)]
Cursor = Annotated[str, Field(description="from the page before")]
Limit = Annotated[int, Field(ge=1, le=100)]
Priority = Literal["urgent", "high", "normal", "low"]
To = Annotated[
    str | list[str],
    Field(description="agent id, channel:x, tag:x, cap:x, user, broadcast; or several"),
]
WaitSeconds = Annotated[float, Field(ge=0, le=MAX_WAIT_SECONDS, description="0: don't wait")]
