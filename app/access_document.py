"""Writes `docs/access.md` from the rules of the routes: `python -m app.access_document`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from apiflask import APIFlask
from flask import Flask

from app.access import Access, Caller
from app.paths import check_ids
from app.rest import AT_ROOT, PREFIX, RESOURCES
from app.websocket import ACCESS, PATH

_INTRODUCTION: Final = """\
# Who may do what

Made by `python -m app.access_document` from the rules that the routes declare (`app/access.py`);
don't edit. A test tries every line as each of these callers:

- **nobody** brings no token, or none that holds;
- **another agent** has a key for an agent that has nothing to do with what is asked for;
- **the agent itself** has one for the agent that is named, that sends, or whose thing it is;
- **operator** and **admin** have keys with this scope alone.

And so it turns out:

- **yes**: the rule lets it through;
- **its own**: it is done for what is the caller's own; a list leaves out the rest, and of a batch
  the rest is rejected;
- **401** `unauthenticated`, **403** `forbidden`;
- **404**: answered as if it were not there, in the very same words.

Operators act as the agent `user`: they are the human behind it. As any other agent acts only who
has a key for it, admins too; and as `system` only the station. With `WAYSTATION_AUTH=off` there is
nothing to prove: whoever reaches the station may do everything, as any agent.

"""
_HEAD: Final = f"| call | for | {' | '.join(Caller)} |\n|---|---|{'---|' * len(Caller)}"
_UNTOLD: Final = frozenset({"HEAD", "OPTIONS"})
_PARAMETER: Final = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One call: its operation and endpoint, how it is spelt, and the rule of its route."""

    operation_id: str
    endpoint: str
    call: str
    access: Access

    def __str__(self) -> str:
        """The row of the table."""
        verdicts = " | ".join(self.access.verdict(caller).value for caller in Caller)
        return f"| `{self.call}` | {self.access.name} | {verdicts} |"


def rows(app: Flask) -> Iterator[Row]:
    """Every call of an application whose route declares a rule."""
    for rule in app.url_map.iter_rules():
        spec = getattr(app.view_functions[rule.endpoint], "_spec", {})
        if "access" in spec:
            path = _PARAMETER.sub(r"{\1}", rule.rule)
            for method in sorted((rule.methods or set()) - _UNTOLD):
                yield Row(
                    operation_id=spec["operation_id"],
                    endpoint=rule.endpoint,
                    call=f"{method} {path}",
                    access=spec["access"],
                )


def table() -> Iterator[Row]:
    """Every call of the station, each under its documented name."""
    app = APIFlask("access")
    check_ids(app)
    for resource in AT_ROOT:
        app.register_blueprint(resource)
    for resource in RESOURCES:
        app.register_blueprint(resource, url_prefix=PREFIX)
    yield from rows(app)


def document() -> str:
    """The whole document."""
    websocket = Row(operation_id="", endpoint="", call=f"WebSocket {PATH}", access=ACCESS)
    return f"{_INTRODUCTION}{_HEAD}\n" + "".join(f"{row}\n" for row in [*table(), websocket])


if __name__ == "__main__":
    sys.stdout.write(document())
