"""Keys of the station as a whole, and those on the jobs server."""

from __future__ import annotations

from broker.kernel.ids import Partition
from broker.storage.keys.names import Names, key


class StationKeys(Names):
    """Lie in one slot, but for what watches each partition."""

    @key(type="stream", lifetime="newest WAYSTATION_ACTIVITY_MAX_EVENTS", owner="storage")
    def activity(self, partition: Partition) -> str:
        """Every move of every delivery: past-tense event name and ids, no payload."""
        return f"{self._tags[partition]}activity"

    @key(type="hash", lifetime="permanent", owner="operations")
    def counters(self, partition: Partition) -> str:
        """How often each event happened, and the buckets of the latency histogram."""
        return f"{self._tags[partition]}counters"

    @key(type="hash", lifetime="permanent", owner="storage")
    def station(self) -> str:
        """Version of the data and the number of partitions that it was laid out for."""
        return f"{self._station}station"

    @key(type="hash", lifetime="permanent", owner="directory")
    def discovery(self) -> str:
        """Machine to the report of the last search for agents on it, JSON."""
        return f"{self._station}discovery"

    @key(type="string", lifetime="6 s, renewed every 2 s", owner="operations")
    def worker(self, role: str, name: str) -> str:
        """A living process of the station: JSON with its role, host, pid, start."""
        return f"{self._station}worker:{role}:{name}"

    @key(type="zset", lifetime="permanent", owner="operations")
    def workers(self) -> str:
        """`<role>:<name>` of the processes by their last sign of life in ms."""
        return f"{self._station}workers"

    @key(type="list", lifetime="newest 2,880", owner="operations")
    def health_history(self) -> str:
        """Health reports, newest first, JSON."""
        return f"{self._station}health_history"

    @key(type="hash", lifetime="permanent", owner="operations")
    def alerts(self) -> str:
        """Name of an alert that stands, to since when and how it was last reported."""
        return f"{self._station}alerts"

    @key(type="list", lifetime="newest 120", owner="operations")
    def samples(self) -> str:
        """Snapshots of the counters taken by schedule, newest first; rates come from them."""
        return f"{self._station}samples"

    @key(type="string", lifetime="1 s", owner="operations")
    def probe(self) -> str:
        """Written by readiness checks, to see whether Redis takes writes."""
        return f"{self._station}probe"

    @key(type="string", lifetime="permanent", owner="operations")
    def thresholds(self) -> str:
        """Alert thresholds that an operator has set, JSON."""
        return f"{self._station}thresholds"

    @key(type="set", lifetime="permanent", owner="storage")
    def ringing(self, pool: str) -> str:
        """Partitions that a worker of this pool is asked to drain."""
        return f"{self._station}ringing:{pool}"

    @key(type="string", lifetime="1 s", owner="storage")
    def doorbell_job(self, pool: str) -> str:
        """Set while a job for the rings is on its way (`sent`) or a drainer listens (its token)."""
        return f"{self._station}doorbell_job:{pool}"

    def jobs_queue(self, role: str) -> str:
        """The name of the RQ queue of a worker pool."""
        return f"{self.namespace}-{role}"

    @key(type="zset", lifetime="permanent", owner="scheduler")
    def scheduled_jobs(self) -> str:
        """Names of what rq-scheduler drives by their next time, in seconds since the epoch.

        What each one is stands in the RQ job of the same name.
        """
        return f"{self._station}scheduled_jobs"

    @key(type="string", lifetime="until the allowance is full again", owner="security")
    def allowance(self, who: str, rate: str) -> str:
        """When a caller's allowance of a rate will be full again: a moment in microseconds."""
        return f"{self._station}allowance:{self._digest(f'{rate} {who}')}"

    @key(type="string", lifetime="3 s, renewed with each pass", owner="scheduler")
    def scheduler_lock(self) -> str:
        """Which scheduler is at work: a token of its own."""
        return f"{self._station}scheduler_lock"
