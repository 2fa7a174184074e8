"""Durations as people write them: `90`, `90s`, `5m`, `1h30m`."""

from __future__ import annotations

import re
from typing import Final

import click

_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_PLAIN: Final = re.compile(r"\d+(?:\.\d+)?")


def seconds_of(text: str) -> float:
    """The seconds that a duration stands for; a bare number is seconds.

    Raises:
        ValueError: it is not a duration.
    """
    text = text.strip().lower()
    if _PLAIN.fullmatch(text):
        return float(text)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(text)
    return float(sum(float(number) * _SECONDS[unit] for number, unit in parts))


class Duration(click.ParamType[float]):
    """A duration as an option's value."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The seconds."""
        if isinstance(value, (int, float)):
            return float(value)
        try:
            return seconds_of(str(value))
        except ValueError:
            self.fail(f"{value} is not a duration, such as 90, 90s, 5m or 1h30m.", param, ctx)


DURATION: Final = Duration()
