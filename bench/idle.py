"""What an idle station is like: how soon it answers and delivers, and what it weighs."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Final

import psutil
import websocket

from bench.figures import Figure, Unit
from bench.pace import Pace
from bench.processes import BenchError, Station
from bench.statistics import Spread, spread
from broker.kernel.ids import AgentId
from broker.wiring import Broker

_PAUSE_SECONDS: Final = 0.01
_WARM_UP: Final = 10
_ARRIVES_WITHIN_SECONDS: Final = 10.0


def memory(station: Station) -> list[Figure]:
    """The memory of all the station's processes; what they share is counted once."""
    root = psutil.Process(station.pid)
    processes = [root, *root.children(recursive=True)]
    total = sum(process.memory_full_info().pss for process in processes)
    return [
        Figure(
            name="memory_idle",
            what="idle station, all processes",
            value=total / 2**20,
            unit=Unit.MEBIBYTES,
            beside=f"{len(processes)} processes, PSS",
        )
    ]


def latency(station: Station, broker: Broker, pace: Pace) -> list[Figure]:
    """One message at a time: answered, and at its recipient by each transport."""
    for name in ("polled", "pushed"):
        broker.agents.register(AgentId(name), changes={})
    answered, polled = _measure(station, "polled", _long_poll, pace.idle_calls)
    _, pushed = _measure(station, "pushed", _websocket, pace.idle_calls)
    return [
        *_figures("idle_post", "idle: POST answered", answered),
        *_figures("idle_long_poll", "idle: POST to long poll answered", polled),
        *_figures("idle_websocket", "idle: POST to WebSocket pushed", pushed),
    ]


def _figures(name: str, what: str, found: Spread) -> list[Figure]:
    return [
        Figure(
            name=f"{name}_p50",
            what=f"{what}, p50",
            value=found.p50,
            unit=Unit.MILLISECONDS,
            p50_ms=found.p50,
            p99_ms=found.p99,
        ),
        Figure(name=f"{name}_p99", what=f"{what}, p99", value=found.p99, unit=Unit.MILLISECONDS),
    ]


_Arrivals = SimpleQueue[tuple[str, float]]


def _measure(
    station: Station,
    agent: str,
    receive: Callable[[Station, str, _Arrivals, threading.Event], None],
    calls: int,
) -> tuple[Spread, Spread]:
    """Post so often; the ms until each was answered, and until it was at its recipient."""
    arrivals: _Arrivals = SimpleQueue()
    stop = threading.Event()
    receiver = threading.Thread(target=receive, args=(station, agent, arrivals, stop), daemon=True)
    receiver.start()
    connection = http.client.HTTPConnection("127.0.0.1", station.port, timeout=10)
    headers = {"Content-Type": "application/json"}
    answered, delivered = [], []
    for number in range(_WARM_UP + calls):
        time.sleep(_PAUSE_SECONDS)
        body = json.dumps({"from": "prober", "to": agent, "body": str(number)})
        started = time.perf_counter()
        connection.request("POST", "/api/v1/messages", body, headers)
        response = connection.getresponse()
        response.read()
        done = time.perf_counter()
        if response.status != 202:
            raise BenchError(f"a message was answered {response.status}")
        try:
            found, arrived = arrivals.get(timeout=_ARRIVES_WITHIN_SECONDS)
        except Empty:
            raise BenchError(f"message {number} to {agent} did not arrive") from None
        if found != str(number):
            raise BenchError(f"message {number} was sent and {found} arrived")
        if number >= _WARM_UP:
            answered.append((done - started) * 1000)
            delivered.append((arrived - started) * 1000)
    stop.set()
    connection.close()
    return spread(answered), spread(delivered)


def _long_poll(station: Station, agent: str, arrivals: _Arrivals, stop: threading.Event) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", station.port, timeout=30)
    inbox = f"/api/v1/agents/{agent}/inbox"
    while not stop.is_set():
        connection.request("GET", f"{inbox}?wait_seconds=2&limit=10")
        messages = _json(connection.getresponse())["messages"]
        now = time.perf_counter()
        for message in messages:
            arrivals.put((message["body"], now))
        if messages:
            acks = [{"id": one["id"], "lease_token": one["lease"]["token"]} for one in messages]
            body, headers = json.dumps({"acks": acks}), {"Content-Type": "application/json"}
            connection.request("POST", f"{inbox}/ack", body, headers)
            connection.getresponse().read()
    connection.close()


def _websocket(station: Station, agent: str, arrivals: _Arrivals, stop: threading.Event) -> None:
    socket = websocket.create_connection(f"ws://127.0.0.1:{station.port}/ws/{agent}", timeout=30)
    while not stop.is_set():
        frame = json.loads(socket.recv())
        if frame["type"] == "message":
            now = time.perf_counter()
            message = frame["message"]
            arrivals.put((message["body"], now))
            token = message["lease"]["token"]
            socket.send(json.dumps({"type": "ack", "id": message["id"], "lease_token": token}))
            socket.send(json.dumps({"type": "credit", "more": 1}))
    socket.close()


def _json(response: http.client.HTTPResponse) -> dict[str, Any]:
    body = response.read()
    if response.status != 200:
        raise BenchError(f"an inbox answered {response.status}: {body[:200]!r}")
    found: dict[str, Any] = json.loads(body)
    return found
