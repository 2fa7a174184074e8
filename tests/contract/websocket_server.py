"""A real web server and an agent that talks to it by WebSocket."""

import json
import os
import socket
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import requests
import websocket

from broker.kernel.ids import AgentId, MessageId
from broker.messaging.message import Draft
from broker.wiring import Broker, build_broker
from config.settings import ROOT, load_settings
from tests.contract.documented_frames import check_exchange, check_sent
from tests.process.stations import free_port
from tests.waiting import until

DEADLINE_SECONDS = 30

Frame = dict[str, Any]


class Server:
    """`gunicorn`, with the station's own configuration, on a Redis that others run."""

    def __init__(self, environ: dict[str, str], port: int) -> None:
        self.port = port
        self.environ = environ | {"API_PORT": str(port)}
        self.broker: Broker = build_broker(load_settings(self.environ))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("WAYSTATION_", "REDIS_URL", "JOBS_REDIS_URL", "API_"))
        }
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py"),
                "app.factory:create_app()",
            ],
            cwd=ROOT,
            env=inherited | self.environ,
        )
        until(self._answers, within=DEADLINE_SECONDS, what=f"a web server on port {self.port}")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None
        try:
            requests.get(f"http://127.0.0.1:{self.port}/", timeout=DEADLINE_SECONDS)
        except requests.ConnectionError:
            return False
        return True

    def terminate(self) -> None:
        """Ask it to stop; returns at once."""
        assert self.process is not None
        self.process.terminate()

    def kill(self) -> None:
        """End it and its workers as kill -9 does: they do not outlive it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """Let it stop in its own way."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(DEADLINE_SECONDS)
            self.process = None

    def send(self, agent: str, *bodies: str, priority: int = 5) -> list[MessageId]:
        """Post messages for an agent, as others would, and route them."""
        drafts = [
            Draft(sender=AgentId("alice"), to=(agent,), body=body, priority=priority)
            for body in bodies
        ]
        ids = [accepted.id for accepted in self.broker.queue.send_many(drafts)]  # type: ignore[union-attr] # a refusal has no id
        self.broker.router.drain()
        return ids

    def waiting(self, agent: str) -> int:
        """Return how many messages nobody has on lease."""
        return int(self.broker.redis.command("ZCARD", self.broker.keys.inbox(AgentId(agent))))

    def leased(self, agent: str) -> int:
        """Return how many messages somebody has on lease."""
        return int(self.broker.redis.command("ZCARD", self.broker.keys.leased(AgentId(agent))))


@contextmanager
def serving(
    directory: Path, redis_url: str, jobs_redis_url: str, **environ: str
) -> Iterator[Server]:
    """Give a web server, and leave nothing of it."""
    named = {
        "REDIS_URL": redis_url,
        "JOBS_REDIS_URL": jobs_redis_url,
        "WAYSTATION_DATA_DIR": str(directory),
        "WAYSTATION_PARTITIONS": "4",
    }
    server = Server(named | environ, free_port())
    try:
        server.start()
        yield server
    finally:
        server.kill()


class Closed(Exception):  # noqa: N818 - what a test waits for
    """The server closed the connection with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code


class Agent:
    """One connection of an agent; frames that nobody has asked for yet are kept in order.

    Every frame that is exchanged must be as the AsyncAPI document says.
    """

    def __init__(self, server: Server, agent: str, **options: Any) -> None:
        self.id = agent
        self._refs = count(1)
        self._kept: deque[Frame] = deque()
        self.socket = websocket.create_connection(
            f"ws://127.0.0.1:{server.port}/ws/{agent}", timeout=DEADLINE_SECONDS, **options
        )

    def say(self, **frame: Any) -> None:
        """Send a frame."""
        self.socket.send(json.dumps(frame))

    def hello(self, **frame: Any) -> Frame:
        """Say hello, and return the server's."""
        self.say(type="hello", **frame)
        return self.next("hello")

    def next(self, kind: str) -> Frame:
        """Return the next frame of this type."""
        for frame in self._kept:
            if frame["type"] == kind:
                self._kept.remove(frame)
                return frame
        while (frame := self._receive())["type"] != kind:
            self._kept.append(frame)
        return frame

    def messages(self, number: int) -> list[Frame]:
        """Return the next pushed messages."""
        return [self.next("message")["message"] for _ in range(number)]

    def ask(self, **frame: Any) -> Frame:
        """Send a frame, and return what it is answered."""
        ref = next(self._refs)
        self.say(ref=ref, **frame)
        answer = self._answer_to(ref)
        check_exchange({"ref": ref, **frame}, answer)
        return answer

    def about(self, message: Frame, kind: str, **more: Any) -> Frame:
        """Ask for something to be done with a pushed message."""
        return self.ask(type=kind, id=message["id"], lease_token=message["lease"]["token"], **more)

    def pushed_meanwhile(self) -> list[Frame]:
        """Return the messages pushed so far; the server has had a turn to push more.

        It pushes between answering two frames that do not wait for it together.
        """
        for _ in range(2):
            self.ask(type="heartbeat")
        found = [frame["message"] for frame in self._kept if frame["type"] == "message"]
        self._kept = deque(frame for frame in self._kept if frame["type"] != "message")
        return found

    def closed(self) -> int:
        """Read until the server closes; the code that it gives."""
        while True:
            try:
                self._kept.append(self._receive())
            except Closed as closed:
                return closed.code

    def drop(self) -> None:
        """Vanish without a word: the connection is reset."""
        assert self.socket.sock is not None
        self.socket.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.sock.close()

    def _answer_to(self, ref: int) -> Frame:
        while (frame := self._receive()).get("ref") != ref:
            self._kept.append(frame)
        return frame

    def _receive(self) -> Frame:
        opcode, data = self.socket.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            code = struct.unpack("!H", data[:2])[0] if len(data) > 1 else 1005
            raise Closed(code, data[2:].decode())
        frame: Frame = json.loads(data)
        check_sent(frame)
        return frame


def register(server: Server, agent: str, instance: str | None = None) -> str:
    """Register an agent as its own process would; its id."""
    server.broker.agents.register(AgentId(agent), {}, instance_id=instance)
    return agent
