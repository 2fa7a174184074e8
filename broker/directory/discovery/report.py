"""What a search found, beside what was found before it: what is new, changed, the same or gone."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from typing import Any, Final, Literal

import msgspec

from broker.directory.agents import Profile
from broker.directory.discovery.walk import Findings, Obstacle, Place
from broker.kernel.ids import AgentId

Change = Literal["new", "changed", "same"]

_NOT_IN_ID: Final = re.compile(r"[^a-z0-9_.@~-]+")
_MAX_SLUG: Final = 100
_SUFFIX: Final = 8
_FIELDS: Final = ("name", "label", "capabilities", "tags", "cwd", "machine")
MARK: Final = "discovered"
"""Under which an agent's meta keeps what discovery last said of it."""


class Discovered(msgspec.Struct, frozen=True, kw_only=True):
    """An agent that was found; its role is its label, so that `label:reviewer` reaches it."""

    id: AgentId
    change: Change
    name: str
    role: str | None
    capabilities: tuple[str, ...]
    tags: tuple[str, ...]
    cwd: str
    branch: str | None
    sources: tuple[str, ...]

    def facts(self, machine: str) -> dict[str, Any]:
        """What it says for a profile."""
        return {
            "name": self.name,
            "label": self.role,
            "capabilities": self.capabilities,
            "tags": self.tags,
            "cwd": self.cwd,
            "machine": machine,
        }


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the last search on a machine found; `scanned_at` in ms.

    Where it is not `complete`, what is missing may still be there, and nothing counts as gone.
    """

    machine: str
    scanned_at: int
    complete: bool
    found: tuple[Discovered, ...] = ()
    gone: tuple[Discovered, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()


def report(
    findings: Findings,
    before: Report | None,
    *,
    machine: str,
    scanned_at: int,
    taken: Callable[[AgentId, str], bool],
) -> Report:
    """Compare findings with the report before them.

    `taken` says whether an id belongs to a registered agent that works elsewhere than in a path.
    """
    known = {one.cwd: one for one in before.found} if before else {}
    ids = _ids(findings.places, {path: one.id for path, one in known.items()}, taken)
    found = [
        _discovered(place, ids[place.path], known.get(place.path)) for place in findings.places
    ]
    paths = {place.path for place in findings.places}
    missing = [one for path, one in known.items() if path not in paths]
    return Report(
        machine=machine,
        scanned_at=scanned_at,
        complete=findings.complete,
        # What was not reached is still where it was, as far as anybody knows.
        found=tuple(found if findings.complete else [*found, *missing]),
        gone=tuple(missing) if findings.complete else (),
        obstacles=tuple(findings.obstacles),
    )


def merged(
    agent: AgentId, profile: Profile | None, one: Discovered, machine: str
) -> dict[str, Any]:
    """What changes in a profile: what it leaves open, or has from an earlier search.

    What the agent or an operator has set stays as it is.
    """
    facts = one.facts(machine)
    mark = {**facts, "role": one.role, "branch": one.branch, "sources": list(one.sources)}
    meta = dict(profile.meta) if profile else {}
    said_before = meta.get(MARK)
    base: Mapping[str, Any] = said_before if isinstance(said_before, dict) else {}
    changes = {
        name: facts[name]
        for name in _FIELDS
        if profile is None or _is_ours(agent, name, getattr(profile, name), base)
    }
    return changes | {"meta": meta | {MARK: _plain(mark)}}


def _is_ours(agent: AgentId, name: str, value: object, base: Mapping[str, Any]) -> bool:
    is_open = not value or (name == "name" and value == agent)
    return is_open or (name in base and _plain({"": value})[""] == base[name])


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as JSON gives them back."""
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in values.items()
    }


def _discovered(place: Place, agent: AgentId, before: Discovered | None) -> Discovered:
    said = place.description
    now = Discovered(
        id=agent,
        change="same",
        name=said.name or _folder(place.path),
        role=said.role,
        capabilities=said.capabilities,
        tags=said.tags,
        cwd=place.path,
        branch=place.branch,
        sources=place.sources,
    )
    if before is None:
        return msgspec.structs.replace(now, change="new")
    changed = now != msgspec.structs.replace(before, change="same")
    return msgspec.structs.replace(now, change="changed" if changed else "same")


def _ids(
    places: Iterable[Place], known: Mapping[str, AgentId], taken: Callable[[AgentId, str], bool]
) -> dict[str, AgentId]:
    """An id for each path: what it has, or its name, with a suffix where several want that."""
    wanted = {place.path: _slug(place) for place in places if place.path not in known}
    rivals = Counter(wanted.values()) + Counter(known.values())
    ids = dict(known)
    for path, slug in wanted.items():
        agent = AgentId(slug)
        if rivals[agent] > 1 or taken(agent, path):
            digest = hashlib.blake2b(path.encode(), digest_size=_SUFFIX // 2).hexdigest()
            agent = AgentId(f"{slug}-{digest}")
        ids[path] = agent
    return ids


def _slug(place: Place) -> str:
    for text in (place.description.name, _folder(place.path)):
        if text and (slug := _NOT_IN_ID.sub("-", text.lower())[:_MAX_SLUG].strip("-.@~")):
            return slug
    return "agent"


def _folder(path: str) -> str:
    return PurePath(path).name or path
