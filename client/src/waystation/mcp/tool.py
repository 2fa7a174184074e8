"""A tool: a function with a place to work, its arguments checked, its errors told as sentences."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Concatenate, Final, ParamSpec, Protocol

import mcp_types as types
from mcp.server.mcpserver.utilities.func_metadata import FuncMetadata, func_metadata
from pydantic import ValidationError

from waystation.errors import UnreachableError, WaystationError
from waystation.mcp.desk import Beat, Desk

_log = logging.getLogger(__name__)

P = ParamSpec("P")

_NOT_TOLD: Final = "The MCP server of Waystation failed; its log (stderr) says why. Tell the user."
_UNREACHABLE: Final = "Tell the user that the station does not answer, and try again later."


class Shelf(Protocol):
    """Tools that are listed on request."""

    def show(self, group: str) -> Sequence[Tool]:
        """List the tools of a group from now on. Raises `RefusedError`."""

    def find(self, name: str) -> Tool:
        """The tool of this name, listed or not. Raises `RefusedError`."""

    def groups(self) -> Mapping[str, str]:
        """Each group, with what its tools are called."""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What a tool has for one call: the desk, and the way back to the client that waits."""

    desk: Desk
    progress: Callable[[float, float | None, str | None], Awaitable[None]]
    """Tell the client how far it is, so that its patience begins anew."""
    shelf: Shelf
    """The tools beyond those that every client is shown."""
    tools_changed: Callable[[], Awaitable[None]]
    """Tell the client that more tools are listed now."""

    def beat(self, max_seconds: float) -> Beat:
        """What tells the client, now and then, that nothing has come yet."""

        async def beat(passed: float) -> None:
            await self.progress(passed, max_seconds, "nothing yet")

        return beat


Function = Callable[Concatenate[Visit, P], Awaitable[str]]


class RefusedError(WaystationError):
    """A tool was called in a way that can't work; the sentence says what to do."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Tool:
    """A function of a `Visit` and arguments; what it returns is what the model reads."""

    function: Function[...]
    annotations: types.ToolAnnotations

    @property
    def name(self) -> str:
        """The name of the function, which is the tool's."""
        return self.function.__name__

    @property
    def description(self) -> str:
        """The docstring, on one line a paragraph."""
        text = (self.function.__doc__ or "").strip()
        return "\n".join(" ".join(part.split()) for part in text.split("\n\n"))

    @cached_property
    def _arguments(self) -> FuncMetadata:
        return func_metadata(self.function, skip_names=["visit"], structured_output=False)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of the arguments, as short as it can be.

        Text that may be left out is declared as `str = ""`: of `str | None` the SDK would take what
        looks like JSON for JSON.
        """
        full = self._arguments.arg_model.model_json_schema(by_alias=True)
        schema: dict[str, Any] = _terse(full)
        return schema | {"additionalProperties": False}

    def listed(self, *, always: bool = False) -> types.Tool:
        """The tool as clients are shown it; with `always`, not even hidden behind a search."""
        return types.Tool(
            name=self.name,
            description=self.description,
            input_schema=self.schema,
            annotations=self.annotations,
            _meta={"anthropic/alwaysLoad": True} if always else None,
        )

    async def call(self, visit: Visit, arguments: Mapping[str, Any]) -> types.CallToolResult:
        """Run it; whatever goes wrong is an answer, too."""
        text, is_error = await self._told(visit, arguments)
        return said("\n".join([text, *visit.desk.holdings.losses()]), is_error=is_error)

    async def _told(self, visit: Visit, arguments: Mapping[str, Any]) -> tuple[str, bool]:
        try:
            return await self.run(visit, arguments), False
        except UnreachableError as error:
            return f"{error} {_UNREACHABLE}", True
        except WaystationError as error:
            return str(error), True
        except Exception:  # noqa: BLE001 - the edge: a model can do nothing with a traceback
            _log.exception("%s failed", self.name)
            return _NOT_TOLD, True

    async def run(self, visit: Visit, arguments: Mapping[str, Any]) -> str:
        """Check the arguments, all of them, and run it. Raises `RefusedError`."""
        return await self.function(visit, **self._checked(arguments))

    def _checked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        known = self.schema.get("properties", {})
        wrong = [
            f"{name}: there is no such argument; known are {', '.join(known) or 'none'}"
            for name in arguments
            if name not in known
        ]
        given = {name: value for name, value in arguments.items() if name in known}
        checked: dict[str, Any] = {}
        try:
            checked = self._arguments.validate_arguments(given)
        except ValidationError as error:
            wrong += _sentences(error)
        if wrong:
            raise RefusedError(f"{self.name} was not called. Correct these: {'; '.join(wrong)}.")
        return checked


def said(text: str, *, is_error: bool = False) -> types.CallToolResult:
    """A result of one text."""
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)], is_error=is_error
    )


def reading(function: Function[P]) -> Tool:
    """A tool that changes nothing."""
    return Tool(function=function, annotations=types.ToolAnnotations(read_only_hint=True))


def acting(*, destructive: bool = False, idempotent: bool = False) -> Callable[[Function[P]], Tool]:
    """A tool that changes something; `destructive` where it can't be undone."""

    def tool(function: Function[P]) -> Tool:
        return Tool(
            function=function,
            annotations=types.ToolAnnotations(
                read_only_hint=False, destructive_hint=destructive, idempotent_hint=idempotent
            ),
        )

    return tool


def _sentences(error: ValidationError) -> list[str]:
    """One for each field; where it may be one of several shapes, the first says enough."""
    told = {str(one["loc"][0]): one["msg"] for one in reversed(error.errors())}
    return [f"{name}: {message}" for name, message in reversed(told.items())]


def _terse(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """The schema without titles, nulls and defaults that say nothing: a model pays for each."""
    if isinstance(schema, list):
        return [_terse(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        name: (
            {key: _terse(value) for key, value in inner.items()}
            if name == "properties"
            else _terse(inner)
        )
        for name, inner in schema.items()
        if name != "title" and not (name == "default" and inner in (None, ""))
    }
    shapes = [one for one in kept.get("anyOf", []) if one != {"type": "null"}]
    if len(shapes) == 1:
        del kept["anyOf"]
        return shapes[0] | kept
    return kept | {"anyOf": shapes} if shapes else kept
