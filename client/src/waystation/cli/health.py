"""`waystation health`: how well the station is, was, and from where on that is worth an alert."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast, get_type_hints

import click

from waystation.answers import HealthReport, Thresholds
from waystation.cli.context import Invocation, with_invocation
from waystation.cli.options import CommandGroup
from waystation.cli.paging import paged
from waystation.resources.health import NewThresholds

_BARS: Final = "▁▂▃▄▅▆▇█"
_BEST: Final = 100
_LATELY: Final = 60
_PARTS: Final = ("PART", "SCORE", "WEIGHT", "VALUE")
_ALERTS: Final = ("ALERT", "SEVERITY", "VALUE", "THRESHOLD", "SINCE")
_HISTORY: Final = ("AT", "SCORE", "CONDITIONS")


@click.group("health", cls=CommandGroup, invoke_without_command=True)
@with_invocation
def command(invocation: Invocation, /) -> None:
    """Show how well the station is."""
    if click.get_current_context().invoked_subcommand is not None:
        return
    resource, output = invocation.station.health, invocation.output
    health = resource.score()
    if output.as_json:
        output.document(health)
        return
    if output.for_people:
        reports = resource.history(limit=_LATELY).reports
        output.text(f"{health.score:g} of {_BEST}  {sparkline(reports)}".rstrip())
    else:
        output.table((), [("score", health.score)])
    output.table(
        _PARTS,
        [(name, part.score, part.weight, part.value) for name, part in health.parts.items()],
    )
    if health.alerts:
        output.table(
            _ALERTS,
            [
                (one.alert, one.severity, one.value, one.threshold, one.since)
                for one in health.alerts
            ],
        )


@command.command("history")
@paged
@with_invocation
def history(invocation: Invocation, /, *, limit: int | None, cursor: str | None) -> None:
    """List the reports of the last hours, newest first."""
    page = invocation.station.health.history(limit=limit, cursor=cursor)
    rows = [
        (one.at, one.score, [condition.alert for condition in one.conditions])
        for one in page.reports
    ]
    if invocation.output.for_people and page.reports:
        invocation.output.text(sparkline(page.reports))
    invocation.output.page(page, _HISTORY, rows, empty="No report yet.", cursor=page.cursor)


@command.command("ready")
@with_invocation
def ready(invocation: Invocation, /) -> None:
    """Say whether every part is there; exit code 6 where one is missing."""
    found = invocation.station.health.ready()
    invocation.output.page(
        found, ("PART", "STATUS"), [(one.name, one.status) for one in found.parts]
    )


@command.command("thresholds")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=NUMBER",
    help="Set this one and keep the others; several times for several.",
)
@with_invocation
def thresholds(invocation: Invocation, /, *, changes: tuple[str, ...]) -> None:
    """Show or set from where on health is worth an alert."""
    resource = invocation.station.health
    found = resource.thresholds()
    if changes:
        found = resource.set_thresholds(**_changed(found, changes))
    invocation.output.record(found, _named(found))


def sparkline(reports: Sequence[HealthReport]) -> str:
    """The scores of these reports, which come newest first, from the oldest to the newest."""
    last = len(_BARS) - 1
    return "".join(
        _BARS[max(0, min(last, int(report.score / _BEST * last + 0.5)))]
        for report in reversed(reports)
    )


def _named(found: Thresholds) -> dict[str, Any]:
    return {name: getattr(found, name) for name in found.__struct_fields__}


def _changed(found: Thresholds, changes: Sequence[str]) -> NewThresholds:
    """All thresholds with these changed: what is not said would go back to its default."""
    known = get_type_hints(NewThresholds)
    values = {name: value for name, value in _named(found).items() if name in known}
    for change in changes:
        name, _, number = change.partition("=")
        if name not in known:
            raise click.BadParameter(f"{name} is none of {', '.join(known)}.", param_hint="--set")
        try:
            values[name] = float(number)
        except ValueError as error:
            raise click.BadParameter(f"{change} is not NAME=NUMBER.", param_hint="--set") from error
    return cast(NewThresholds, values)
