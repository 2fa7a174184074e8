"""`/ws/{agent_id}`: an agent receives, sends, acknowledges and lives on one connection (SPEC T2).

Frames are JSON objects with a `type`, as DESIGN section 4 lists them; `ref` ties an answer (`ok` or
`error`) to its question.

- **Hello.** Messages are pushed as soon as the client has said hello. A client that says nothing
  gets the defaults (50 credit, no instance) after half a second, one that starts with another frame
  at once; a hello that comes later is still taken, once.
- **Credit** bounds a slow reader: so many pushed messages may be unfinished (not acknowledged,
  rejected, nor out of their lease). Beyond them everything stays in Redis. A frame that the client
  does not take within 20 s ends the connection.
- **Resuming.** What was pushed to an `instance_id` stays leased when the connection drops. Its next
  connection gets the same messages again, with the same tokens and attempts, before anything new.
  An instance has one connection: the newest ends the older one in the same web process, where
  there are several processes the pings do. What was pushed to a client without an instance goes
  back to the inbox at once, and does not count as an attempt.
- **Identity** (SPEC Z2). The handshake proves that the caller may act as the agent, as any call
  does, and the proof is looked at again every few seconds. All that is sent is from this agent.
- **Limits** (SPEC Z3). A frame counts as a request does, but for `ack`, which ends what the station
  itself has begun. One too many is refused; the connection goes on.
- **Sessions** (SPEC R8). A hello with an instance or an epoch claims that session; when a newer one
  registers, the connection is closed.
- **Closing.** 1009 frame too large, 1011 defect, 1012 server stops: connect again. 4400 too many
  bad frames in a row, 4401 the key or token no longer holds, 4404 unknown agent, 4409 a newer
  session or connection has taken over.

An open connection counts as a sign of life. Pings go out every 15 s; a client that has not answered
one by the next has vanished, or does not read. Libraries answer them while the client reads.
"""

from __future__ import annotations

import functools
import threading
from typing import Final

from apiflask import APIBlueprint
from flask import Flask, request
from flask_sock import Sock

from app.access import AS_PATH_AGENT, Access
from app.context import AppContext
from app.identity import principal
from app.standing import Standing
from app.websocket.channel import Channel, Socket
from app.websocket.client import Client
from app.websocket.connections import Connections
from app.websocket.handshake import admit
from app.websocket.session import Session, Terms
from broker.kernel.ids import AgentId

PATH: Final = "/ws/{agent_id}"
ACCESS: Final[Access] = AS_PATH_AGENT
"""The rule of every frame, asked once for all at the handshake."""

_HELLO_SECONDS: Final = 0.5
_PING_SECONDS: Final = 15
_HEARTBEATS_BEFORE_STALE: Final = 3


def register(app: Flask, context: AppContext) -> None:
    """Add the WebSocket to an application that gunicorn serves."""
    settings = context.settings
    connections = Connections()
    terms = Terms(
        hello_seconds=_HELLO_SECONDS,
        heartbeat_seconds=settings.stale_after_seconds / _HEARTBEATS_BEFORE_STALE,
    )
    blueprint = APIBlueprint("websocket", __name__, enable_openapi=False)
    sock = Sock()

    @blueprint.before_request
    def check_handshake() -> None:
        ACCESS.admit()
        ACCESS.permit(request.view_args or {})
        admit(request)
        # A handshake is refused, like any other call, while Redis was never there.
        context.prepare()

    @sock.route("/ws/<agent_id>", bp=blueprint)  # type: ignore[untyped-decorator]
    def serve(ws: Socket, agent_id: str) -> None:
        agent = AgentId(agent_id)
        client = Client(
            agent=agent,
            standing=Standing.of_caller(agent),
            spend=context.allowances.spender(principal()),
        )
        Session(Channel(ws), client, context.broker, connections, terms).run()

    app.config["SOCK_SERVER_OPTIONS"] = {
        "ping_interval": _PING_SECONDS,
        "max_message_size": settings.max_request_bytes,
        "thread_class": functools.partial(threading.Thread, daemon=True),
    }
    app.register_blueprint(blueprint)
    context.at_stop(connections.end_all)
