"""Measures a station on this machine: `python -m bench`, or rather `script/bench`."""

from __future__ import annotations

import argparse
import http.client
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from bench import idle, report, storage, throughput
from bench.figures import Figure, Unit
from bench.machine import describe
from bench.pace import FULL, QUICK, USUAL, Pace
from bench.processes import BenchError, Station, station
from broker.kernel.errors import BrokerError
from config.settings import ROOT

_PARTS: Final = (
    "start",
    "idle",
    "single",
    "batch",
    "end-to-end",
    "half-load",
    "memory",
    "depth",
)
RESULTS: Final = ROOT / "bench" / "results"


def main() -> None:
    """Measure, print the table, keep it."""
    options = _options()
    earlier = None
    try:
        if options.compare:
            earlier = report.load(options.compare)
        run = _measure(options.pace, options.only)
    except (BenchError, OSError, msgspec.DecodeError) as error:
        sys.exit(str(error))
    print("\n" + report.table(run))
    if not options.only:
        label = options.label or f"{run.machine.cores} cores {options.pace.name}"
        print(f"\nkept in {report.save(run, RESULTS, label).relative_to(ROOT)}")
    if earlier is not None:
        print("\n" + report.comparison(run, earlier))


def _measure(pace: Pace, only: Sequence[str]) -> report.Result:
    figures: list[Figure] = []
    with station() as running:
        broker = running.broker("waystation")
        parts: dict[str, Callable[[], list[Figure]]] = {
            "start": lambda: [_start(running)],
            "idle": lambda: idle.memory(running) + idle.latency(running, broker, pace),
            "single": lambda: throughput.single_posts(running, broker, pace),
            "batch": lambda: throughput.batches(running, broker, pace),
            "end-to-end": lambda: throughput.end_to_end(running, broker, pace),
            "half-load": lambda: throughput.half_load(running, broker, pace),
            "memory": lambda: storage.memory(running, pace),
            "depth": lambda: storage.depth(running, pace),
        }
        for name, measure in parts.items():
            if not only or name in only:
                print(f"measuring {name} ...", file=sys.stderr, flush=True)
                try:
                    figures += measure()
                except (BenchError, BrokerError, OSError, http.client.HTTPException) as error:
                    print(f"  not measured: {error or type(error).__name__}", file=sys.stderr)
        return report.result(pace.name, describe(broker.redis), figures)


def _start(running: Station) -> Figure:
    return Figure(
        name="start",
        what="station started and ready",
        value=running.ready_after_seconds,
        unit=Unit.SECONDS,
        beside="dependencies installed",
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="script/bench",
        description="Measure a station of its own, beside baselines in the same run.",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--quick", dest="pace", action="store_const", const=QUICK, help="half a minute, rougher"
    )
    length.add_argument(
        "--full", dest="pace", action="store_const", const=FULL, help="with 1,000,000 waiting"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        default=(),
        choices=(*_PARTS,),
        help="only these parts; the result is not kept",
    )
    parser.add_argument("--label", help="the last part of the result's file name")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="set beside an earlier result")
    parser.set_defaults(pace=USUAL)
    return parser.parse_args()


if __name__ == "__main__":
    main()
