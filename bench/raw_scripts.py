"""The baseline of a batch: enqueue.lua called in pipelines, with nothing around it.

`python -m bench.raw_scripts`, task on stdin, result on stdout. The calls are those that the store
makes for messages one by one; they are built beforehand, so that only Redis and its client count.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from bench.load import Measured
from bench.statistics import spread
from broker.kernel.ids import AgentId, MessageId, new_id
from broker.messaging.message import Message, pack
from broker.messaging.outgoing_store import Admission, Outgoing, OutgoingStore
from broker.storage.connection import Redis, connect
from broker.storage.keys import Keys
from broker.storage.scripts import Call, Outcome
from broker.wiring import message_policy
from config.settings import load_settings

_CLIENTS: Final = 4
_BUILT_PER_SECOND: Final = 60_000
_MOST_BUILT: Final = 150_000


class RawScripts(msgspec.Struct, frozen=True, kw_only=True):
    """What to call: pipelines of `batch` calls, for at most so long."""

    redis_url: str
    namespace: str
    seconds: float
    batch: int
    body_bytes: int


class _Recorded(Redis):
    """Keeps the calls that a store makes, and carries none of them out."""

    def __init__(self, redis_url: str) -> None:
        super().__init__(connect(redis_url))
        self.calls: list[Call] = []

    def call(self, call: Call) -> Outcome:
        self.calls.append(call)
        return Outcome(name="stored", values=(0, pack([["accepted", ""]])))


def run(task: RawScripts) -> Measured:
    """Send all pipelines and count the messages."""
    count = min(int(task.seconds * _BUILT_PER_SECOND), _MOST_BUILT)
    calls = _calls(task, count)
    pipelines = [calls[start : start + task.batch] for start in range(0, count, task.batch)]
    connect(task.redis_url).script_load(calls[0].script.text)
    seconds: list[float] = []
    deadline = time.perf_counter() + task.seconds
    started = time.perf_counter()
    clients = [
        threading.Thread(target=_send, args=(task.redis_url, pipelines, seconds, deadline))
        for _ in range(_CLIENTS)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    elapsed = time.perf_counter() - started
    answered = spread([one * 1000 for one in seconds])
    return Measured(
        sent_per_second=len(seconds) * task.batch / elapsed,
        acknowledged_per_second=0,
        refused=0,
        answered_p50_ms=answered.p50,
        answered_p99_ms=answered.p99,
    )


def _calls(task: RawScripts, count: int) -> Sequence[Call]:
    settings = load_settings({"REDIS_URL": task.redis_url, "WAYSTATION_NAMESPACE": task.namespace})
    keys = Keys(settings.namespace, settings.partitions)
    recorded = _Recorded(task.redis_url)
    store = OutgoingStore(recorded, keys, message_policy(settings))
    now = time.time_ns() // 1_000_000
    for number in range(count):
        sender = AgentId(f"sender{number // task.batch % 16}")
        recipient = AgentId(f"agent{number % 8}")
        partition = keys.partition_for(sender)
        message = Message(
            id=MessageId(new_id("msg", at_ms=now, partition=partition)),
            sender=sender,
            to=(recipient,),
            created_at=now,
            expires_at=now + 86_400_000,
            body="x" * task.body_bytes,
        )
        admission = Admission(
            agent_id=recipient,
            registered=True,
            depth=0,
            arrived=0,
            max_depth=2**31,
            on_full="reject",
        )
        one = Outgoing(
            message=message,
            due_at=None,
            idempotency_key=None,
            fingerprint="",
            epoch=None,
            recipients=(admission,),
            superseded=None,
        )
        store.enqueue(partition, [one], now)
    return recorded.calls


def _send(
    redis_url: str, pipelines: list[Sequence[Call]], seconds: list[float], deadline: float
) -> None:
    client = connect(redis_url)
    while time.perf_counter() < deadline:
        try:
            calls = pipelines.pop()
        except IndexError:
            return
        started = time.perf_counter()
        with client.pipeline(transaction=False) as pipeline:
            for call in calls:
                pipeline.execute_command(*call.evalsha())  # type: ignore[no-untyped-call]
            pipeline.execute()
        seconds.append(time.perf_counter() - started)


if __name__ == "__main__":
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=RawScripts)
    sys.stdout.buffer.write(msgspec.json.encode(run(given)))
