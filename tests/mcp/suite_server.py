"""`waystation mcp` with what the conformance suite calls beside its own tools and prompts.

What they return is the suite's wish. How it gets to the client is the server's own code, which the
suite can try only in this way: it calls no tool of a server that it does not know.
"""

from __future__ import annotations

import json
from unittest.mock import patch
from urllib.parse import urlsplit

import mcp_types as types

from waystation.cli import main
from waystation.mcp import resources
from waystation.mcp.desk import Desk
from waystation.mcp.prompts import PROMPTS, Prompt
from waystation.mcp.tool import RefusedError, Visit, acting, reading
from waystation.mcp.tools import ALL

of_the_bus = resources.read


@reading
async def test_simple_text(visit: Visit) -> str:
    """Return text."""
    del visit
    return "This is a simple text response for testing."


@acting()
async def test_error_handling(visit: Visit) -> str:
    """Fail."""
    del visit
    raise RefusedError("This tool intentionally returns an error for testing")


@reading
async def test_tool_with_progress(visit: Visit) -> str:
    """Tell three times how far it is."""
    beat = visit.beat(100)
    for progress in (0, 50, 100):
        await beat(progress)
    return "done"


TOOLS = (test_simple_text, test_error_handling, test_tool_with_progress)

SIMPLE = Prompt(
    name="test_simple_prompt", description="One text", text="This is a simple prompt for testing."
)
WITH_ARGUMENTS = Prompt(
    name="test_prompt_with_arguments",
    description="Two arguments",
    arguments=[types.PromptArgument(name=name, required=True) for name in ("arg1", "arg2")],
    text="Prompt with arguments: arg1='{arg1}', arg2='{arg2}'",
)


async def read(desk: Desk, uri: str) -> str | None:
    """Read a resource of the suite's, or of ours."""
    parts = urlsplit(uri)
    match [parts.scheme, parts.netloc, *parts.path.split("/")[1:]]:
        case ["test", "static-text"]:
            return "This is the content of the static text resource."
        case ["test", "template", number, "data"]:
            return json.dumps(
                {"id": number, "templateTest": True, "data": f"Data for ID: {number}"}
            )
        case _:
            return await of_the_bus(desk, uri)


if __name__ == "__main__":
    with (
        patch.dict(ALL, {tool.name: tool for tool in TOOLS}),
        patch.dict(PROMPTS, {prompt.name: prompt for prompt in (SIMPLE, WITH_ARGUMENTS)}),
        patch.object(resources, "read", read),
    ):
        main()
