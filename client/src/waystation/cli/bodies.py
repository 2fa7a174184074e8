"""Where the body of a message comes from: an argument, a file, or standard input."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from waystation.cli.exit_codes import ExitCode
from waystation.cli.failures import Failure

F = TypeVar("F", bound=Callable[..., Any])


def with_body(command: F) -> F:
    """Give a command `body` and `file`, which `body_of` makes a text of."""
    argument = click.argument("body", required=False)
    option = click.option(
        "--file", metavar="FILE", help="Read the body from a file; - is standard input."
    )
    return argument(option(command))


def body_of(body: str | None, file: str | None, *, needed: bool = True) -> str | None:
    """The text that was meant; where nothing was said and it is needed, that of a pipe.

    Raises:
        UsageError: there is none, or there are two.
        Failure: it can't be read, or isn't text.
    """
    if body is not None and file is not None:
        raise click.UsageError("Give BODY or --file, not both.")
    if file is not None:
        return _piped() if file == "-" else _text(_bytes(file), file)
    if body == "-":
        return _piped()
    if body is None and needed:
        if sys.stdin is None or sys.stdin.isatty():
            raise click.UsageError("Say something: BODY, --file, or a pipe.")
        return _piped()
    return body


def _piped() -> str:
    """What is piped in; the newline that `echo` puts at its end is not part of it."""
    return _text(sys.stdin.buffer.read(), "Standard input").removesuffix("\n")


def _bytes(file: str) -> bytes:
    try:
        return Path(file).expanduser().read_bytes()
    except OSError as error:
        raise Failure(
            f"{file} can't be read: {error.strerror}.", exit_code=ExitCode.USAGE, code="unreadable"
        ) from error


def _text(raw: bytes, source: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Failure(
            f"{source} is not text in UTF-8.", exit_code=ExitCode.INVALID, code="not_text"
        ) from error
