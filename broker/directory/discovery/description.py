"""What CLAUDE.md and AGENTS.md say of the agent that works in their directory.

Front matter (YAML between two lines of `---`) is read first, then lines such as `Role: reviewer`,
then the first heading. The files are written for models, so anything else in them is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

MAX_TEXT: Final = 128
MAX_ITEMS: Final = 50

_FRONT_MATTER: Final = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_HEADING: Final = re.compile(r"^#[ \t]+(\S.{0,500})$", re.MULTILINE)
_LINE: Final = re.compile(
    r"^[>*\- \t]{0,8}\**(name|role|capabilities|tags)\**[ \t]*:\**[ \t]*(\S.{0,2000})$",
    re.IGNORECASE | re.MULTILINE,
)
_FENCE: Final = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.DOTALL | re.MULTILINE)
_SEPARATORS: Final = re.compile(r"[,;]")
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


class UnreadableDescriptionError(ValueError):
    """The front matter is no YAML that says something of an agent."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """What is said of an agent; None and () stand for nothing."""

    name: str | None = None
    role: str | None = None
    capabilities: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def filled_by(self, other: Description) -> Description:
        """This one, with what it leaves open taken from another."""
        return Description(
            name=self.name or other.name,
            role=self.role or other.role,
            capabilities=self.capabilities or other.capabilities,
            tags=self.tags or other.tags,
        )


def described(text: str) -> Description:
    """What a file says. Raises `UnreadableDescriptionError`."""
    matter = _FRONT_MATTER.match(text)
    stated = _of_front_matter(matter[1]) if matter else Description()
    prose = _FENCE.sub("", text[matter.end() :] if matter else text)
    return stated.filled_by(_of_lines(prose)).filled_by(_of_heading(prose))


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases, of which a few lines can make gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            raise UnreadableDescriptionError("its front matter uses YAML aliases")
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


def _of_front_matter(text: str) -> Description:
    try:
        stated = yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - a SafeLoader, made stricter
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, UnreadableDescriptionError):
            raise
        raise UnreadableDescriptionError("its front matter is not valid YAML") from error
    if stated is None:
        return Description()
    if not isinstance(stated, Mapping):
        raise UnreadableDescriptionError("its front matter is not a list of `name: value`")
    return _description({str(key).lower(): value for key, value in stated.items()})


def _of_lines(prose: str) -> Description:
    stated: dict[str, Any] = {}
    for key, value in _LINE.findall(prose):
        stated.setdefault(key.lower(), value)
    return _description(stated)


def _of_heading(prose: str) -> Description:
    heading = _HEADING.search(prose)
    return Description(name=_text(heading[1]) if heading else None)


def _description(stated: Mapping[str, Any]) -> Description:
    return Description(
        name=_text(stated.get("name")),
        role=_text(stated.get("role")),
        capabilities=_texts(stated.get("capabilities")),
        tags=_texts(stated.get("tags")),
    )


def _text(value: object) -> str | None:
    """A short line of what may be anything."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    return _UNPRINTABLE.sub(" ", str(value)).strip(" *_`\"'#")[:MAX_TEXT].strip() or None


def _texts(value: object) -> tuple[str, ...]:
    parts: Iterable[object]
    if isinstance(value, str):
        parts = _SEPARATORS.split(value)
    elif isinstance(value, list):
        parts = value
    else:
        return ()
    texts = dict.fromkeys(text for part in parts if (text := _text(part)))
    return tuple(list(texts)[:MAX_ITEMS])
