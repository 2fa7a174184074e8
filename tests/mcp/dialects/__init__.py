"""The model APIs that agent CLIs talk to: one file for each."""

from collections.abc import Sequence

from tests.mcp.dialects.chat_completions import ChatCompletions
from tests.mcp.dialects.dialect import Dialect
from tests.mcp.dialects.generate_content import GenerateContent
from tests.mcp.dialects.messages import AnthropicMessages
from tests.mcp.dialects.responses import OpenAIResponses

DIALECTS: Sequence[Dialect] = (
    AnthropicMessages(),
    OpenAIResponses(),
    ChatCompletions(),
    GenerateContent(),
)
