"""The MCP server: Waystation as tools, resources and prompts for a model (SPEC I3).

It needs the extra `waystation[mcp]`. One process is one agent, whose name comes from the
configuration: no tool takes a sender or a token.
"""
