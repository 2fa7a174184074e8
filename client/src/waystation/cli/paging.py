"""The options of every list: how much of it, and from where on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def paged(command: F) -> F:
    """Give a command `limit` and `cursor`."""
    limited = click.option(
        "--limit", type=click.IntRange(1), metavar="N", help="At most so many, on one page."
    )
    continued = click.option("--cursor", metavar="CURSOR", help="Go on behind an earlier page.")
    return limited(continued(command))
