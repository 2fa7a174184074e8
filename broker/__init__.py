"""Waystation's domain: queueing, routing and delivery of messages; knows nothing of HTTP."""
