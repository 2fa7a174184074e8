"""The roll: who is registered and what they are, as every process remembers it.

Groups of agents range over the whole register. It changes seldom and is read for every message to
a group, so each process keeps a copy, and before it is used asks in one trip which partitions have
changed since; only those are read again (ADR 14).
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Final

import msgspec

from broker.directory.agents import BUILT_IN, AgentKind
from broker.directory.store import AgentStore
from broker.kernel.ids import AgentId, Partition, partition_for

_MOMENT_SECONDS: Final = 0.5


class Trait(StrEnum):
    """What agents of a group have in common."""

    LABEL = "label"
    TAG = "tag"
    CAPABILITY = "capability"


class Enrolled(msgspec.Struct, frozen=True, kw_only=True):
    """What a registered agent is, since `registered_at` in ms.

    `max_depth` is None where the station's own limit counts.
    """

    kind: AgentKind = AgentKind.PROVIDER
    label: str | None = None
    tags: frozenset[str] = frozenset()
    capabilities: frozenset[str] = frozenset()
    parent: AgentId | None = None
    transport: str = "pull"
    ready: bool = True
    max_depth: int | None = None
    registered_at: int = 0

    def traits(self) -> Iterable[tuple[Trait, str]]:
        """All by which it belongs to a group."""
        if self.label is not None:
            yield Trait.LABEL, self.label
        for tag in self.tags:
            yield Trait.TAG, tag
        for capability in self.capabilities:
            yield Trait.CAPABILITY, capability


_decoder: Final = msgspec.json.Decoder(Enrolled)


class _Page:
    """The part of the roll that stands in one partition."""

    def __init__(self, version: bytes | None, agents: Mapping[AgentId, Enrolled]) -> None:
        self.version = version
        self.agents = agents
        groups: dict[tuple[Trait, str], set[AgentId]] = defaultdict(set)
        for agent, enrolled in agents.items():
            if agent not in BUILT_IN:
                for trait in enrolled.traits():
                    groups[trait].add(agent)
        self.groups: Mapping[tuple[Trait, str], Collection[AgentId]] = dict(groups)


class Roll:
    """The register at one moment; it never changes.

    The built-in agents stand in it, but belong to no group: they are reached by name only.
    """

    def __init__(self, pages: Sequence[_Page]) -> None:
        self._pages = pages

    def find(self, agent: AgentId) -> Enrolled | None:
        """What an agent is, None if it isn't registered."""
        return self._pages[partition_for(agent, len(self._pages))].agents.get(agent)

    @cached_property
    def everyone(self) -> frozenset[AgentId]:
        """All agents but the built-in ones."""
        return frozenset(
            agent for page in self._pages for agent in page.agents if agent not in BUILT_IN
        )

    def having(self, trait: Trait, name: str) -> frozenset[AgentId]:
        """Those who have that label, tag or capability."""
        return frozenset().union(*(page.groups.get((trait, name), ()) for page in self._pages))

    def names(self, trait: Trait) -> frozenset[str]:
        """The labels, tags or capabilities that anybody has."""
        return frozenset(name for page in self._pages for one, name in page.groups if one is trait)

    def outdated(self, versions: Sequence[bytes | None]) -> list[Partition]:
        """The partitions that have another version now."""
        return [
            Partition(number)
            for number, (page, version) in enumerate(zip(self._pages, versions, strict=True))
            if page.version != version
        ]

    def renewed(self, pages: Mapping[Partition, _Page]) -> Roll:
        """This one with some pages replaced."""
        return Roll([pages.get(Partition(number), page) for number, page in enumerate(self._pages)])


class RollCall:
    """Keeps the roll of one process; may be asked by many threads at once."""

    def __init__(self, store: AgentStore, *, now: Callable[[], float] = time.monotonic) -> None:
        """`now` is in seconds."""
        self._store = store
        self._now = now
        self._lock = threading.Lock()
        self._roll: Roll | None = None
        self._checked_at = 0.0

    def current(self) -> Roll:
        """The roll as it is now; one trip, and two more if it has changed."""
        with self._lock:
            return self._checked()

    def recent(self) -> Roll:
        """The roll as it was half a second ago at most: nothing to be refused by."""
        roll = self._roll
        if roll is not None and self._is_recent():
            return roll
        with self._lock:
            if self._roll is not None and self._is_recent():
                return self._roll
            return self._checked()

    def _is_recent(self) -> bool:
        return self._now() - self._checked_at <= _MOMENT_SECONDS

    def _checked(self) -> Roll:
        asked_at = self._now()
        # Versions first: what changes while the pages are read makes them differ next time.
        versions = self._store.roll_versions()
        known = self._roll
        outdated = (
            [Partition(number) for number in range(len(versions))]
            if known is None
            else known.outdated(versions)
        )
        if known is None:
            known = Roll([_Page(None, {})] * len(versions))
        if outdated:
            known = known.renewed(self._read(outdated, versions))
        self._roll, self._checked_at = known, asked_at
        return known

    def _read(
        self, partitions: Sequence[Partition], versions: Sequence[bytes | None]
    ) -> dict[Partition, _Page]:
        agents: dict[Partition, dict[AgentId, Enrolled]] = {one: {} for one in partitions}
        for partition, agent, profile, since, max_depth in self._store.enrolled(partitions):
            agents[partition][agent] = msgspec.structs.replace(
                _decoder.decode(profile), registered_at=since, max_depth=max_depth
            )
        return {one: _Page(versions[one], found) for one, found in agents.items()}
