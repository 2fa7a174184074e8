"""Finding agents on disk: git worktrees, and directories with CLAUDE.md or AGENTS.md (SPEC R10)."""
