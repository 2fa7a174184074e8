"""What a command prints: tables in a terminal, plain columns in a pipe, or one JSON document."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from waystation.cli.cells import plain, printable, readable

if TYPE_CHECKING:
    from rich.console import Console

Row = Sequence[object]


class Output:
    """The standard output of a command, and notes beside it on standard error."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False, color: bool = True) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.color = color
        self.for_people = not as_json and sys.stdout.isatty()
        """Whether somebody looks at a terminal; otherwise a program reads."""

    def console(self, *, stderr: bool = False) -> Console:
        """A terminal to draw on; it heeds NO_COLOR."""
        from rich.console import Console  # noqa: PLC0415 - most calls draw nothing

        return Console(stderr=stderr, no_color=None if self.color else True, highlight=False)

    @property
    def shows_progress(self) -> bool:
        """Whether a progress bar has somebody who looks at it."""
        return not self.quiet and not self.as_json and sys.stderr.isatty()

    def document(self, answer: object) -> None:
        """One JSON document: indented for people, on one line in a pipe."""
        encoded = msgspec.json.encode(answer)
        if sys.stdout.isatty():
            encoded = msgspec.json.format(encoded, indent=2)
        click.echo(encoded)

    def line(self, answer: object) -> None:
        """One JSON document of many, on a line of its own."""
        click.echo(msgspec.json.encode(answer))

    def text(self, text: str) -> None:
        """Text as it is, made harmless where a terminal would obey it."""
        click.echo(printable(text) if self.for_people else text)

    def note(self, text: str) -> None:
        """Something beside the result, for people."""
        if not self.quiet and not self.as_json:
            click.echo(printable(text), err=True)

    @contextlib.contextmanager
    def progress(self, text: str) -> Iterator[Callable[[str], None]]:
        """Say what is waited for, in one line that changes; nothing where nobody looks."""
        if not self.shows_progress:
            yield lambda _: None
            return
        from rich.text import Text  # noqa: PLC0415 - only where one is drawn

        with self.console(stderr=True).status(Text(printable(text))) as status:
            yield lambda text: status.update(Text(printable(text)))

    @contextlib.contextmanager
    def bar(self, text: str, *, total: float | None) -> Iterator[Callable[[float, str], None]]:
        """Show how far it is, of a total where that is known; nothing where nobody looks."""
        if not self.shows_progress:
            yield lambda _, __: None
            return
        from rich.progress import Progress  # noqa: PLC0415 - only where one is drawn

        with Progress(console=self.console(stderr=True), transient=True) as progress:
            task = progress.add_task(text, total=total)
            yield lambda done, text: progress.update(task, advance=done, description=text)

    def complain(self, text: str) -> None:
        """Something that went wrong, while the rest goes on."""
        click.echo(printable(text), err=True)

    def result(self, answer: object, text: str) -> None:
        """The answer as JSON, or the text that says it."""
        if self.as_json:
            self.document(answer)
        else:
            self.text(text)

    def table(
        self, columns: Sequence[str], rows: Iterable[Row], *, empty: str = "Nothing."
    ) -> None:
        """Rows: a table in a terminal, columns between tabs without a header in a pipe."""
        if not self.for_people:
            for row in rows:
                click.echo("\t".join(plain(value) for value in row))
            return
        listed = [[readable(value) for value in row] for row in rows]
        if not listed:
            self.note(empty)
            return
        from rich.table import Table  # noqa: PLC0415 - only where one is drawn
        from rich.text import Text  # noqa: PLC0415

        table = Table(*columns, box=None, header_style="bold", pad_edge=False)
        for cells in listed:
            table.add_row(*(Text(cell) for cell in cells))
        self.console().print(table)

    def page(
        self,
        answer: object,
        columns: Sequence[str],
        rows: Iterable[Row],
        *,
        empty: str = "Nothing.",
        cursor: str | None = None,
    ) -> None:
        """A page of a list; says how to see the next one."""
        if self.as_json:
            self.document(answer)
            return
        self.table(columns, rows, empty=empty)
        if cursor:
            self.note(f"There is more: --cursor {cursor}")

    def record(self, answer: object, fields: Mapping[str, object]) -> None:
        """One thing, field by field."""
        if self.as_json:
            self.document(answer)
        elif self.for_people:
            shown = {name: readable(value) for name, value in fields.items() if value is not None}
            width = max(map(len, shown), default=0)
            following = "\n" + " " * (width + 2)
            for name, text in shown.items():
                indented = text.replace("\n", following)
                click.echo(f"{name:<{width}}  {indented}")
        else:
            for name, value in fields.items():
                click.echo(f"{name}\t{plain(value)}")
