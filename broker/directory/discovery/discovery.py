"""Discovery: searching the configured directories, reporting, and registering what was found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from broker.directory.agents import BUILT_IN, RESERVED, Agents
from broker.directory.discovery.report import Report, merged, report
from broker.directory.discovery.walk import Findings, walk
from broker.kernel.clock import Clock
from broker.kernel.errors import NotFoundError
from broker.kernel.ids import AgentId
from broker.storage.connection import Redis
from broker.storage.errands import Errands
from broker.storage.keys import Keys


class NoSuchDiscoveryError(NotFoundError):
    """No search has found an agent of that id."""

    code = "discovery_not_found"


@dataclass(frozen=True, kw_only=True)
class DiscoveryPolicy:
    """Where to search, and whether what is found is registered without being asked for."""

    roots: tuple[Path, ...]
    registers: bool
    machine: str


class Discovery:
    """Finds agents on disk (SPEC R10).

    Searches are carried out by the execution pool, on whose machine agents work: disks can be slow,
    and neither callers nor the pools that deliver may wait for them.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        agents: Agents,
        errands: Errands,
        *,
        policy: DiscoveryPolicy,
        clock: Clock,
        search: Callable[[tuple[Path, ...]], Findings] = walk,
    ) -> None:
        self._redis = redis
        self._key = keys.discovery()
        self._agents = agents
        self._errands = errands
        self._policy = policy
        self._clock = clock
        self._search = search

    def ask_for_scan(self) -> None:
        """Have a search begin soon; its report replaces the last one of that machine."""
        self._errands.send("workers.execution.discover", pool="execution")

    def scan(self) -> Report:
        """Search now, in this process, and keep the report."""
        machine = self._policy.machine
        found = report(
            self._search(self._policy.roots),
            self._report_of(machine),
            machine=machine,
            scanned_at=self._clock(),
            taken=self._is_taken,
        )
        self._redis.command("HSET", self._key, machine, msgspec.json.encode(found))
        if self._policy.registers:
            self._register(found, [one.id for one in found.found])
        return found

    def reports(self) -> list[Report]:
        """The last report of each machine, in the order of their names."""
        stored = self._redis.command("HVALS", self._key)
        reports = [msgspec.json.decode(one, type=Report) for one in stored]
        return sorted(reports, key=lambda one: one.machine)

    def register(self, agents: Collection[AgentId] | None = None) -> list[AgentId]:
        """Register these of the agents that were found, or all; which ones.

        An agent that is registered keeps what it has set itself. Raises `NoSuchDiscoveryError`.
        """
        reports = self.reports()
        known = {one.id for each in reports for one in each.found}
        if agents is not None and (strangers := sorted(set(agents) - known)):
            raise NoSuchDiscoveryError(
                f"No search has found {', '.join(strangers)}. GET /discovery lists what was found."
            )
        wanted = known if agents is None else set(agents)
        return sorted(
            name
            for each in reports
            for name in self._register(each, [one.id for one in each.found if one.id in wanted])
        )

    def _register(self, found: Report, agents: Sequence[AgentId]) -> Sequence[AgentId]:
        wanted = set(agents)
        for one in found.found:
            if one.id not in wanted:
                continue
            registered = self._agents.known(one.id)
            profile = registered.profile if registered else None
            changes = merged(one.id, profile, one, found.machine)
            if profile is None or any(getattr(profile, name) != changes[name] for name in changes):
                # A directory gives no sign of life: its agent counts as offline until it does.
                self._agents.register(one.id, changes, present=False)
        return agents

    def _report_of(self, machine: str) -> Report | None:
        stored = self._redis.command("HGET", self._key, machine)
        return msgspec.json.decode(stored, type=Report) if stored else None

    def _is_taken(self, agent: AgentId, path: str) -> bool:
        if agent in BUILT_IN or agent in RESERVED:
            return True
        registered = self._agents.known(agent)
        return registered is not None and registered.profile.cwd not in (None, path)
