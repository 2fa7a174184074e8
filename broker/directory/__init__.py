"""Who takes part: agents, their sessions and their presence."""
