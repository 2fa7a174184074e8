"""Prints `docs/reference/mcp.md` from the MCP server's own tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from waystation.mcp.prompts import PROMPTS
from waystation.mcp.resources import FIXED, TEMPLATES
from waystation.mcp.server import INSTRUCTIONS
from waystation.mcp.tool import Tool
from waystation.mcp.tools import CORE, GROUPS

_CHARACTERS_PER_TOKEN: Final = 3

_INTRODUCTION: Final = """\
# The MCP server's tools, resources and prompts

Made by `client/tools/mcp_reference.py` from the server's own tables; don't edit.
How to use it: [mcp.md](../how-to/mcp.md).

The server tells a model:

> {instructions}

## Listed tools

All of them together cost about {tokens} tokens, at three characters of their JSON a token.

"""

_MORE: Final = """\
## Tools on request

`bus_more` names them; `bus_more(group=…)` describes those of a group and has them listed;
`bus_more(call=…, arguments={…})` calls one, listed or not.

"""


def document() -> str:
    """The whole page."""
    listed = [
        tool.listed(always=True).model_dump(mode="json", by_alias=True, exclude_none=True)
        for tool in CORE
    ]
    tokens = len(json.dumps(listed)) // _CHARACTERS_PER_TOKEN // 100 * 100 + 100
    parts = [_INTRODUCTION.format(instructions=INSTRUCTIONS.format(agent="alice"), tokens=tokens)]
    parts += _tools(CORE)
    parts.append(_MORE)
    for name, tools in GROUPS.items():
        parts.append(f"### Group `{name}`\n\n")
        parts += _tools(tools)
    parts += _table("Resources", "address", [*_fixed(), *_templates()])
    parts += _table("Prompts", "prompt", _prompts())
    return "".join(parts).rstrip() + "\n"


def _tools(tools: Sequence[Tool]) -> Iterator[str]:
    yield "| tool | arguments | what it does |\n|---|---|---|\n"
    for tool in tools:
        required = set(tool.schema.get("required", ()))
        arguments = ", ".join(
            _argument(name, schema, required=name in required)
            for name, schema in tool.schema["properties"].items()
        )
        description = tool.description.replace("\n", " ")
        yield f"| `{tool.name}` | {arguments} | {description}{_hints(tool)} |\n"
    yield "\n"


def _argument(name: str, schema: Mapping[str, Any], *, required: bool) -> str:
    about = [f"**{name}**" if required else name]
    if "enum" in schema:
        about.append(f"({' '.join(str(one) for one in schema['enum'])})")
    if "default" in schema and not required:
        about.append(f"= {json.dumps(schema['default'])}")
    return " ".join(about)


def _hints(tool: Tool) -> str:
    if tool.annotations.read_only_hint:
        return " *Changes nothing.*"
    return " *Can't be undone.*" if tool.annotations.destructive_hint else ""


def _fixed() -> Iterator[tuple[str, str]]:
    return ((str(one.uri), one.description or "") for one in FIXED)


def _templates() -> Iterator[tuple[str, str]]:
    return ((one.uri_template, one.description or "") for one in TEMPLATES)


def _prompts() -> Iterator[tuple[str, str]]:
    for prompt in PROMPTS.values():
        names = [one.name if one.required else f"[{one.name}]" for one in prompt.arguments]
        yield " ".join([prompt.name, *names]), prompt.description


def _table(title: str, what: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield f"## {title}\n\n| {what} | |\n|---|---|\n"
    for name, says in rows:
        yield f"| `{name}` | {says} |\n"
    yield "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
