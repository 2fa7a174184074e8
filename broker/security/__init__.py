"""Who may do what: principals, API keys, tokens, invitations."""
