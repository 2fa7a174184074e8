"""Pushing messages to agents that do not fetch them: transports, one file each."""
