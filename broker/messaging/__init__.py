"""Messages, inboxes, receipts, dead letters, threads and recurring messages."""
