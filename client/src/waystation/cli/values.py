"""Values that are written on the command line or read from a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import click
import msgspec


class JsonValue(click.ParamType[Any]):
    """JSON; `@FILE` reads it from there, `@-` from standard input."""

    name = "json"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:  # noqa: ANN401 - any JSON
        """What the JSON says."""
        if not isinstance(value, str):
            return value
        try:
            return msgspec.json.decode(_read(value))
        except msgspec.DecodeError as error:
            self.fail(f"{value} is not JSON: {error}.", param, ctx)
        except OSError as error:
            self.fail(f"{value[1:]} can't be read: {error.strerror}.", param, ctx)


def _read(value: str) -> bytes:
    if not value.startswith("@"):
        return value.encode()
    if value == "@-":
        return sys.stdin.buffer.read()
    return Path(value[1:]).expanduser().read_bytes()


JSON_VALUE: Final = JsonValue()
