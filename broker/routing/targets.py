"""Targets: what `to` may name (SPEC R1), read by one parser for every face.

| form | whom it means |
|---|---|
| `bob`, `user` | that agent |
| `label:x`, `tag:x`, `cap:x` | all with that label, tag or capability |
| `channel:x`, `team:x`, `orchestrator:x` | its members |
| `broadcast` | everyone |
| `{"all_of": […], "any_of": […], "not": […]}` | those in each, in any, in none of these targets |

A message carries each target as a text; a selector's is its JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import msgspec

from broker.kernel.errors import FieldProblem, InvalidFieldsError
from broker.kernel.ids import AGENT_ID_PATTERN, AgentId
from broker.messaging.message import BROADCAST, MAX_LEAVES, MAX_NAME

MAX_DEPTH: Final = 8
"""How deeply selectors may be nested."""

_AUTO: Final = "auto"
_RESERVED: Final = frozenset({_AUTO, BROADCAST})
_AGENT_ID: Final = re.compile(AGENT_ID_PATTERN)
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")


class GroupKind(StrEnum):
    """The prefixes that a target may have."""

    LABEL = "label"
    TAG = "tag"
    CAP = "cap"
    CHANNEL = "channel"
    TEAM = "team"
    ORCHESTRATOR = "orchestrator"


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """One agent, by its id."""

    agent: AgentId


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """All agents of a label, tag, capability, channel, team or orchestrator."""

    kind: GroupKind
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Everyone:
    """All agents but the built-in ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selector:
    """Those in each of `all_of`, in any of `any_of`, and in none of `none_of`; () for no matter."""

    all_of: tuple[Target, ...] = ()
    any_of: tuple[Target, ...] = ()
    none_of: tuple[Target, ...] = ()


Target = Named | Group | Everyone | Selector

_KINDS: Final = {kind.value: kind for kind in GroupKind}
_MEMBERS: Final = {"all_of": "all_of", "any_of": "any_of", "not": "none_of"}
"""The members of a selector in JSON, and the fields that they are here."""

_KNOWN: Final = (
    "an agent id, "
    + ", ".join(f"{kind.value}:…" for kind in GroupKind)
    + f", user, {BROADCAST}, or a selector {{{', '.join(_MEMBERS)}}}"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """What `to` says: agents named one by one, and all other targets; each once, in order."""

    to: tuple[str, ...]
    named: tuple[AgentId, ...]
    groups: tuple[Target, ...] = ()

    @property
    def has_groups(self) -> bool:
        """Whether who is meant depends on more than the message."""
        return bool(self.groups)


def parse(to: Sequence[str]) -> Address:
    """What these targets mean. Raises `InvalidFieldsError` with all that is wrong with them."""
    if to and all(_AGENT_ID.fullmatch(one) and one not in _RESERVED for one in to):
        # Most messages name agents and nothing else.
        agents = tuple(map(AgentId, dict.fromkeys(to)))
        return Address(to=agents, named=agents)
    reader = _Reader()
    if not to:
        reader.refuse("to", f"must name {_KNOWN}")
    found: dict[str, Target] = {}
    for index, text in enumerate(to):
        target = reader.read(text, "to" if len(to) == 1 else f"to.{index}")
        if target is not None:
            found[text_of(target)] = target
    if reader.problems:
        raise InvalidFieldsError(reader.problems)
    return Address(
        to=tuple(found),
        named=tuple(target.agent for target in found.values() if isinstance(target, Named)),
        groups=tuple(target for target in found.values() if not isinstance(target, Named)),
    )


def text_of(target: Target) -> str:
    """A target as a message carries it: the same text for the same target."""
    match target:
        case Selector():
            return msgspec.json.encode(_document_of(target)).decode()
        case _:
            return str(_document_of(target))


def leaves(target: Target) -> Iterator[Named | Group | Everyone]:
    """The targets in a selector, however deeply nested; else the target itself."""
    match target:
        case Selector(all_of=all_of, any_of=any_of, none_of=none_of):
            for part in (*all_of, *any_of, *none_of):
                yield from leaves(part)
        case _:
            yield target


def _document_of(target: Target) -> str | dict[str, list[Any]]:
    match target:
        case Named(agent=agent):
            return agent
        case Group(kind=kind, name=name):
            return f"{kind.value}:{name}"
        case Everyone():
            return BROADCAST
        case Selector():
            members = {key: getattr(target, name) for key, name in _MEMBERS.items()}
            return {
                key: [_document_of(part) for part in parts]
                for key, parts in members.items()
                if parts
            }


class _BadTargetError(Exception):
    """A target cannot be read; the text says why."""


def _leaf(text: str) -> Named | Group | Everyone:
    """The target of a text that is no selector's. Raises `_BadTargetError`."""
    if _AGENT_ID.fullmatch(text):
        if text == _AUTO:
            raise _BadTargetError(f"{_AUTO!r} is reserved; name {_KNOWN}")
        return Everyone() if text == BROADCAST else Named(agent=AgentId(text))
    prefix, colon, name = text.partition(":")
    if not colon:
        raise _BadTargetError(f"{_shown(text)} is no agent id; name {_KNOWN}")
    if prefix not in _KINDS:
        raise _BadTargetError(f"unknown prefix {_shown(prefix + colon)}; name {_KNOWN}")
    if not name or len(text) > MAX_NAME or _CONTROL.search(name):
        raise _BadTargetError(
            f"needs a name of one line behind {prefix}:, {MAX_NAME} characters in all"
        )
    return Group(kind=_KINDS[prefix], name=name)


@dataclass(kw_only=True, slots=True)
class _Reader:
    """Reads the targets of one message, and notes all that is wrong with them."""

    problems: list[FieldProblem] = field(default_factory=list)
    leaves: int = 0

    def refuse(self, path: str, message: str) -> None:
        self.problems.append(FieldProblem(field=path, message=message))

    def read(self, text: str, path: str) -> Target | None:
        """The target that stands at `path`; None if it cannot be read."""
        if not text.startswith("{"):
            return self._leaf(text, path)
        try:
            document = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            self.refuse(path, f"is no selector in JSON; name {_KNOWN}")
            return None
        return self._selector(document, path, depth=1)

    def _leaf(self, text: str, path: str) -> Target | None:
        try:
            return _leaf(text)
        except _BadTargetError as error:
            self.refuse(path, str(error))
            return None

    def _selector(self, document: Mapping[str, Any], path: str, depth: int) -> Selector | None:
        before = len(self.problems)
        if depth > MAX_DEPTH:
            self.refuse(path, f"selectors may be nested {MAX_DEPTH} deep at most")
            return None
        for key in sorted(document.keys() - _MEMBERS.keys()):
            self.refuse(f"{path}.{_shown(key)[1:-1]}", f"is not one of {', '.join(_MEMBERS)}")
        if not document:
            self.refuse(path, f"must hold one of {', '.join(_MEMBERS)}")
        members = {
            name: self._targets(document[key], f"{path}.{key}", depth)
            for key, name in _MEMBERS.items()
            if key in document
        }
        return Selector(**members) if len(self.problems) == before else None

    def _targets(self, documents: object, path: str, depth: int) -> tuple[Target, ...]:
        if not isinstance(documents, list) or not documents:
            self.refuse(path, "must be a list of one target or more")
            return ()
        found = [
            self._target(document, f"{path}.{index}", depth)
            for index, document in enumerate(documents)
        ]
        return tuple(target for target in found if target is not None)

    def _target(self, document: object, path: str, depth: int) -> Target | None:
        if isinstance(document, dict):
            return self._selector(document, path, depth + 1)
        self.leaves += 1
        if self.leaves > MAX_LEAVES:
            if self.leaves == MAX_LEAVES + 1:
                self.refuse(path, f"selectors may hold {MAX_LEAVES} targets at most")
        elif isinstance(document, str):
            return self._leaf(document, path)
        else:
            self.refuse(path, f"must be {_KNOWN}")
        return None


def _shown(text: str) -> str:
    """What a caller wrote, fit to be shown in an answer and a log."""
    return repr(text if len(text) <= 64 else f"{text[:64]}…")  # noqa: PLR2004 - enough to recognize it
