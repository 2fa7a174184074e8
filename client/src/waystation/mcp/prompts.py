"""Prompts: how to work with the bus, for a user to choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import mcp_types as types


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """What a user may ask a model to do; `{name}` in the text stands for an argument."""

    name: str
    description: str
    arguments: Sequence[types.PromptArgument] = ()
    text: str

    def listed(self) -> types.Prompt:
        """The prompt as clients are shown it."""
        return types.Prompt(
            name=self.name, description=self.description, arguments=list(self.arguments)
        )

    def missing(self, given: Mapping[str, str]) -> list[str]:
        """The arguments that are required and not given."""
        return [one.name for one in self.arguments if one.required and not given.get(one.name)]

    def render(self, given: Mapping[str, str]) -> types.GetPromptResult:
        """What the model is told."""
        values = {one.name: given.get(one.name, "") for one in self.arguments}
        content = types.TextContent(type="text", text=self.text.format(**values))
        return types.GetPromptResult(
            description=self.description,
            messages=[types.PromptMessage(role="user", content=content)],
        )


def _argument(name: str, description: str, *, required: bool = True) -> types.PromptArgument:
    return types.PromptArgument(name=name, description=description, required=required)


AGENT: Final = "agent"
"""The argument that is an agent's id, which can be completed."""

PROMPTS: Final[Mapping[str, Prompt]] = {
    prompt.name: prompt
    for prompt in (
        Prompt(
            name="handle_inbox",
            description="Deal with the messages that wait for you.",
            text=(
                "Deal with your Waystation inbox. Call bus_wait with max_seconds 0 and work through"
                " what it gives you, the most urgent first. For each message: do what it asks if"
                " that is within the task that I gave you, and ask me where it is not; answer with"
                " bus_reply where an answer is wanted, bus_ack what needs none, and bus_nack with a"
                " reason what you can't deal with. Go on until nothing comes, then tell me in a few"
                " lines what came and what you did."
            ),
        ),
        Prompt(
            name="delegate",
            description="Have another agent do something, and wait for the result.",
            arguments=[
                _argument(AGENT, "who is to do it"),
                _argument("task", "what is to be done"),
            ],
            text=(
                "Delegate this to the agent {agent} through Waystation: {task}\n\n"
                "Write a message that can be understood without our conversation: the goal, what"
                " there is already, where it is, how to know that it is done. Send it with bus_ask."
                " If no answer comes in time, go on with other work and look with bus_wait now and"
                " then. Check the answer before you rely on it, and tell me."
            ),
        ),
        Prompt(
            name="hand_over",
            description="Hand your work over to another agent.",
            arguments=[
                _argument(AGENT, "who goes on"),
                _argument("work", "which work, where it is not all of it", required=False),
            ],
            text=(
                "Hand over to the agent {agent} through Waystation what you are working on."
                " {work}\n\n"
                "First finish or give back the messages that you hold (bus_inbox shows them). Then"
                " send one message with bus_send: the goal, what is done, what is not, what you"
                " found out, which files and branches matter, and the next step. See with bus_read,"
                " part receipts, that it was received, and tell me."
            ),
        ),
    )
}
