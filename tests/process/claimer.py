"""An agent in a process of its own: claims a message, says so, and works on it without an end.

`python -m tests.process.claimer <agent> <message> <claim ms>`, with a station's settings around it.
"""

import os
import sys
import threading

from broker.kernel.ids import AgentId, MessageId
from broker.wiring import build_broker
from config.settings import load_settings


def main() -> None:
    agent, message, claim_ms = sys.argv[1:]
    broker = build_broker(load_settings(dict(os.environ)))
    broker.claims.claim(AgentId(agent), MessageId(message), claim_ms=int(claim_ms))
    sys.stdout.write("claimed\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
