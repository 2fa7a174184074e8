"""Agent CLIs of others, headless, with a scripted model and Waystation's MCP server."""

from collections.abc import Sequence

from tests.mcp.agent_clis.agent_cli import AgentCli
from tests.mcp.agent_clis.claude_code import ClaudeCode
from tests.mcp.agent_clis.codex import Codex
from tests.mcp.agent_clis.gemini import Gemini
from tests.mcp.agent_clis.opencode import OpenCode

CLIS: Sequence[AgentCli] = (ClaudeCode(), Codex(), Gemini(), OpenCode())
