"""Prints figures as a table, keeps them as JSON, and sets them beside those of an earlier run."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from bench.figures import Figure, Unit
from bench.machine import Machine

_HEAD: Final = ("figure", "measured", "p50 ms", "p99 ms", "target", "reached", "beside")
_WORSE: Final = 0.9
_BETTER: Final = 1.1


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run, as it is kept in `bench/results/`."""

    taken_at: str
    pace: str
    machine: Machine
    figures: list[Figure]


def result(pace: str, machine: Machine, figures: Sequence[Figure]) -> Result:
    """A run that ends now."""
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    return Result(
        taken_at=now.isoformat().replace("+00:00", "Z"),
        pace=pace,
        machine=machine,
        figures=list(figures),
    )


def save(run: Result, folder: Path, label: str) -> Path:
    """Write the run to a file of its own; where."""
    day = run.taken_at[:16].replace(":", "")
    name = re.sub(r"[^A-Za-z0-9]+", "-", label).strip("-").lower()
    folder.mkdir(exist_ok=True)
    file = folder / f"{day}-{name}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=2) + b"\n")
    return file


def load(file: Path) -> Result:
    """An earlier run. Raises `OSError`, `msgspec.DecodeError`."""
    return msgspec.json.decode(file.read_bytes(), type=Result)


def table(run: Result) -> str:
    """The figures, and the machine that they hold for."""
    rows = [_row(figure) for figure in run.figures]
    return f"{run.machine.sentence()}\n\n{_aligned([_HEAD, *rows])}"


def comparison(run: Result, earlier: Result) -> str:
    """Each figure beside what it was; how many times as good it is now."""
    before = {figure.name: figure for figure in earlier.figures}
    rows = [("figure", "now", f"on {earlier.taken_at[:10]}", "times as good")]
    for figure in run.figures:
        old = before.get(figure.name)
        if old is not None and old.value and figure.value:
            factor = figure.value / old.value
            if not _more_is_better(figure):
                factor = 1 / factor
            mark = " worse" if factor < _WORSE else " better" if factor > _BETTER else ""
            rows.append((figure.what, _value(figure), _value(old), f"{factor:.2f}{mark}"))
    machines = ""
    if run.machine != earlier.machine:
        machines = f"\nThe machines differ; then it was: {earlier.machine.sentence()}"
    return _aligned(rows) + machines


def _more_is_better(figure: Figure) -> bool:
    if figure.target is not None:
        return figure.target.at_least
    return figure.unit in {Unit.RATE, Unit.SHARE}


def _row(figure: Figure) -> tuple[str, ...]:
    target, reached = figure.target, figure.reached
    bound = ""
    if target is not None:
        bound = (">= " if target.at_least else "<= ") + _number(target.value, figure.unit)
    return (
        figure.what,
        _value(figure),
        "" if figure.p50_ms is None else f"{figure.p50_ms:.1f}",
        "" if figure.p99_ms is None else f"{figure.p99_ms:.1f}",
        bound,
        "" if reached is None else f"{reached:.2f} {'met' if reached >= 1 else 'missed'}",
        figure.beside,
    )


def _value(figure: Figure) -> str:
    return _number(figure.value, figure.unit)


def _number(value: float, unit: Unit) -> str:
    match unit:
        case Unit.SHARE:
            return f"{value:.2f} x"
        case Unit.RATE:
            return f"{value:,.0f}/s"
        case Unit.MILLISECONDS | Unit.SECONDS:
            return f"{value:.1f} {unit.value}"
        case _:
            return f"{value:,.0f} {unit.value}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
