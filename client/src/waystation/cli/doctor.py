"""`waystation doctor`: what is wrong, and how to mend it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import click
from rich.table import Table
from rich.text import Text

from waystation.cli.cells import printable
from waystation.cli.context import Invocation, with_invocation
from waystation.cli.diagnosis import Asked, Finding, Verdict, diagnose, observe
from waystation.cli.exit_codes import ExitCode
from waystation.cli.options import Command

_MARKS: Final = {
    Verdict.OK: ("✓", "green"),
    Verdict.WARNING: ("!", "yellow"),
    Verdict.PROBLEM: ("✗", "red"),
    Verdict.SKIPPED: ("-", "bright_black"),
}


@click.command("doctor", cls=Command)
@click.option(
    "--no-send", "sends", flag_value=False, default=True, help="Send no message to try the way."
)
@with_invocation
def command(invocation: Invocation, *, sends: bool) -> None:
    """Find what is wrong, and say how to mend it.

    It ends with 0 where nothing is, with 1 otherwise. It tries a WebSocket and a message, with an
    agent of its own that it deletes afterwards; where the station asks for tokens, with yours.
    """
    options, output = invocation.options, invocation.output
    asked = Asked(
        url=options.url,
        agent=options.agent,
        token_file=options.token_file,
        profile=options.profile,
        sends=sends,
    )
    findings = diagnose(asyncio.run(observe(asked)))
    verdict = worst(findings)
    if output.as_json:
        output.document({"verdict": verdict, "checks": findings})
    elif output.for_people:
        output.console().print(_table(findings), _summary(findings))
    else:
        output.table((), ((one.verdict, one.name, one.seen, one.mend or "") for one in findings))
    if verdict is Verdict.PROBLEM:
        raise click.exceptions.Exit(ExitCode.FAILED)


def worst(findings: Sequence[Finding]) -> Verdict:
    """The verdict on all together."""
    for verdict in (Verdict.PROBLEM, Verdict.WARNING):
        if any(one.verdict is verdict for one in findings):
            return verdict
    return Verdict.OK


def _table(findings: Sequence[Finding]) -> Table:
    table = Table.grid(padding=(0, 1))
    for one in findings:
        mark, color = _MARKS[one.verdict]
        table.add_row(Text(mark, color), Text(one.name), Text(printable(one.seen)))
        if one.mend is not None:
            table.add_row("", "", Text.assemble(("→ ", color), printable(one.mend)))
    return table


def _summary(findings: Sequence[Finding]) -> str:
    problems = [one for one in findings if one.verdict is Verdict.PROBLEM]
    if not problems:
        return "\nNothing is wrong."
    begin = f"\n{len(problems)} problem{'s' if len(problems) > 1 else ''}."
    return f"{begin} Begin with the first: {problems[0].name}."
