"""The operations context's access to Redis: measurements, samples, health, alerts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from broker.directory.agents import BUILT_IN
from broker.kernel.ids import AgentId, MessageId, Partition
from broker.messaging.message import decode_envelope, pack, unpack
from broker.operations.activity import Sample
from broker.operations.health import HealthReport
from broker.operations.measurements import InboxDepth, Presences, RedisServer, Snapshot
from broker.storage.connection import Redis
from broker.storage.keys import Keys
from broker.storage.scripts import Script

_LUA: Final = Path(__file__).parent / "lua"
# One call holds up the whole server; this many inboxes take it about 2 ms.
_INBOXES_A_CALL: Final = 500
_SAMPLES: Final = 120
_REPORTS: Final = 2_880
_PAGE: Final = 100
_PROBE_MS: Final = 1_000


@dataclass(frozen=True, kw_only=True)
class PresencePolicy:
    """After how much silence (ms) agents are stale and offline, and the station's inbox limit."""

    stale_after_ms: int
    offline_after_ms: int
    max_depth: int


@dataclass(frozen=True, kw_only=True)
class StoredAlert:
    """An alert of which a step is to be told: since when (ms), and what raised it."""

    measure: str
    severity: str
    since: int
    stage: str
    value: float
    limit: float


class OperationsStore:
    """Reads measurements in few trips whatever the station holds, and keeps what comes of them."""

    def __init__(self, redis: Redis, keys: Keys, policy: PresencePolicy) -> None:
        self._redis = redis
        self._keys = keys
        self._policy = policy
        self._scripts = {path.stem: Script.load(_LUA, path.stem) for path in _LUA.glob("*.lua")}

    # --- measurements -----------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Read the whole station: two trips, and a third while messages wait to be routed."""
        tallies = self._tallies()
        online = sum(tally["online"] for tally in tallies)
        present = sum(tally["present"] for tally in tallies)
        return Snapshot(
            at=max(tally["now"] for tally in tallies),
            accepted=sum(tally["accepted"] for tally in tallies),
            delayed=sum(tally["delayed"] for tally in tallies),
            oldest_accepted_at=self._oldest_accepted(
                [MessageId(name) for tally in tallies for name in tally["first_accepted"]]
            ),
            inboxes=self._inboxes(
                [[AgentId(name) for name in tally["inboxes"]] for tally in tallies]
            ),
            dead_letters=sum(tally["dead_letters"] for tally in tallies),
            agents=Presences(
                online=online,
                stale=present - online,
                offline=max(0, sum(tally["registered"] for tally in tallies) - present),
            ),
            totals=_totals(tallies),
        )

    def sample(self) -> Sample:
        """The counters now, at a fraction of what a snapshot takes."""
        tallies = self._tallies()
        return Sample(at=max(tally["now"] for tally in tallies), totals=_totals(tallies))

    def _tallies(self) -> list[dict[str, Any]]:
        tally, keys = self._scripts["tally"], self._keys
        outcomes = self._redis.call_many(
            [
                tally.bind(
                    keys={
                        "ingress": keys.ingress(partition),
                        "delayed": keys.delayed(partition),
                        "alarms": keys.alarms(partition),
                        "dead_letters": keys.dead_letters(partition),
                        "counters": keys.counters(partition),
                        "agents": keys.agents(partition),
                        "heartbeats": keys.heartbeats(partition),
                        "unseen": keys.unseen(partition),
                    },
                    args={
                        "stale_after_ms": self._policy.stale_after_ms,
                        "offline_after_ms": self._policy.offline_after_ms,
                    },
                    more_args=[
                        agent for agent in BUILT_IN if keys.partition_for(agent) == partition
                    ],
                )
                for partition in map(Partition, keys.all_partitions())
            ]
        )
        return [_unpacked(outcome.values[0]) for outcome in outcomes]

    def _oldest_accepted(self, heads: Sequence[MessageId]) -> int | None:
        """Since when the oldest of these messages waits; a delayed one since its delivery time."""
        records = self._redis.commands([("GET", self._keys.message(head)) for head in heads])
        return min(
            (decode_envelope(record).accepted_at for record in records if record), default=None
        )

    def _inboxes(self, by_partition: Sequence[Sequence[AgentId]]) -> tuple[InboxDepth, ...]:
        census, keys = self._scripts["census"], self._keys
        groups = [group for agents in by_partition for group in _chunks(agents)]
        outcomes = self._redis.call_many(
            [
                census.bind(
                    keys={},
                    args={},
                    more_keys=[
                        key
                        for agent in group
                        for key in (
                            keys.agent(agent),
                            keys.inbox(agent),
                            keys.leased(agent),
                            keys.waiting(agent),
                            keys.deliveries(agent),
                        )
                    ],
                )
                for group in groups
            ]
        )
        depths = [
            InboxDepth(
                agent_id=agent,
                queued=queued,
                leased=leased,
                waiting=waiting,
                limit=limit or self._policy.max_depth,
                oldest_at=oldest or None,
            )
            for group, outcome in zip(groups, outcomes, strict=True)
            for agent, counts in zip(group, _unpacked(outcome.values[0]), strict=True)
            if counts
            for queued, leased, waiting, limit, oldest in [counts]
        ]
        return tuple(sorted(depths, key=lambda inbox: (-inbox.depth, inbox.agent_id)))

    def servers(self) -> list[RedisServer]:
        """What the Redis servers say of themselves."""
        return [
            RedisServer(
                name=name,
                used_memory_bytes=int(info["used_memory"]),
                max_memory_bytes=int(info.get("maxmemory", 0)),
                append_only=bool(info.get("aof_enabled")),
                append_only_ok=info.get("aof_last_write_status", "ok") == "ok",
                clients=int(info.get("connected_clients", 0)),
            )
            for name, info in sorted(self._redis.info().items())
        ]

    def probe(self) -> None:
        """Write something. Raises `StorageUnavailableError`, `StorageFullError`."""
        self._redis.command("SET", self._keys.probe(), 1, "PX", _PROBE_MS)

    # --- samples and reports ----------------------------------------------------------------

    def keep_sample(self, sample: Sample) -> None:
        """Remember the counters of one moment."""
        self._keep_newest(self._keys.samples(), pack([sample.at, sample.totals]), _SAMPLES)

    def samples(self) -> list[Sample]:
        """The remembered counters, newest first."""
        entries = self._redis.command("LRANGE", self._keys.samples(), 0, _SAMPLES - 1)
        return [Sample(at=at, totals=totals) for at, totals in map(unpack, entries)]

    def keep_report(self, report: HealthReport) -> None:
        """Remember a health report."""
        self._keep_newest(self._keys.health_history(), msgspec.json.encode(report), _REPORTS)

    def reports(self) -> Iterator[HealthReport]:
        """The remembered reports, newest first, read as far as they are wanted."""
        start = 0
        while True:
            page = self._redis.command(
                "LRANGE", self._keys.health_history(), start, start + _PAGE - 1
            )
            yield from (msgspec.json.decode(report, type=HealthReport) for report in page)
            if len(page) < _PAGE:
                return
            start += _PAGE

    def _keep_newest(self, key: str, entry: bytes, newest: int) -> None:
        self._redis.call(
            self._scripts["keep_newest"].bind(
                keys={"list": key}, args={"entry": entry, "newest": newest}
            )
        )

    # --- thresholds and alerts --------------------------------------------------------------

    def thresholds(self) -> dict[str, float]:
        """The thresholds that were set, by name."""
        stored = self._redis.command("GET", self._keys.thresholds())
        return msgspec.json.decode(stored, type=dict[str, float]) if stored else {}

    def set_thresholds(self, values: Mapping[str, float]) -> None:
        """Set the thresholds, all in one."""
        self._redis.command("SET", self._keys.thresholds(), msgspec.json.encode(values))

    def note_conditions(
        self, conditions: Sequence[tuple[str, str, float, float]], resolve_after_ms: int
    ) -> list[StoredAlert]:
        """Note what stands (measure, severity, value, limit); the alerts that are to be told."""
        outcome = self._redis.call(
            self._scripts["note_conditions"].bind(
                keys={"alerts": self._keys.alerts()},
                args={"resolve_after_ms": resolve_after_ms},
                more_args=[pack(condition) for condition in conditions],
            )
        )
        return [_alert(measure, fields) for measure, *fields in _unpacked(outcome.values[0])]

    def note_told(self, alert: StoredAlert) -> bool:
        """Note that a step was told; False where somebody else was first."""
        outcome = self._redis.call(
            self._scripts["told"].bind(
                keys={"alerts": self._keys.alerts()},
                args={
                    "measure": alert.measure,
                    "severity": alert.severity,
                    "since": alert.since,
                    "stage": alert.stage,
                },
            )
        )
        return outcome.name == "told"

    def alerts(self) -> list[StoredAlert]:
        """The alerts that stand, by what they are about."""
        fields = self._redis.command("HGETALL", self._keys.alerts())
        return [
            _alert(measure.decode(), unpack(packed)) for measure, packed in sorted(_pairs(fields))
        ]


def _totals(tallies: Sequence[dict[str, Any]]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for tally in tallies:
        fields = tally["counters"]
        for name, count in zip(fields[::2], fields[1::2], strict=True):
            totals[name] += int(count)
    return totals


def _alert(measure: str, fields: Sequence[Any]) -> StoredAlert:
    severity, since, _seen_at, stage, value, limit = fields
    return StoredAlert(
        measure=measure, severity=severity, since=since, stage=stage, value=value, limit=limit
    )


def _pairs(reply: object) -> Iterator[tuple[bytes, bytes]]:
    """HGETALL as pairs, whichever form the client gives it."""
    if isinstance(reply, dict):
        yield from reply.items()
    elif isinstance(reply, list):
        yield from zip(reply[::2], reply[1::2], strict=True)
    else:
        raise TypeError(reply)


def _chunks(agents: Sequence[AgentId]) -> Iterator[Sequence[AgentId]]:
    for start in range(0, len(agents), _INBOXES_A_CALL):
        yield agents[start : start + _INBOXES_A_CALL]


def _unpacked(value: object) -> Any:  # noqa: ANN401 - its type is the script's
    if not isinstance(value, bytes):
        raise TypeError(value)
    return unpack(value)
