"""Walks through all the pages of a list."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)
P = ParamSpec("P")


class Page(Protocol[T_co]):
    """A part of a list."""

    @property
    def items(self) -> Sequence[T_co]:
        """What is on this page."""
        ...

    @property
    def cursor(self) -> str | None:
        """Where the list goes on; None at its end."""
        ...


def each(
    page: Callable[P, Page[T_co]], /, *arguments: P.args, **options: P.kwargs
) -> Iterator[T_co]:
    """What is on all the pages, read as it is asked for: `each(station.agents.list, tag="x")`.

    `limit` is how much a page has. Of a history the newest page comes first, each in its order.
    """
    following: dict[str, Any] = {}
    while True:
        found = page(*arguments, **(options | following))  # type: ignore[arg-type] # a cursor more
        yield from found.items
        if found.cursor is None:
            return
        following = {"cursor": found.cursor}


async def async_each(
    page: Callable[P, Awaitable[Page[T_co]]], /, *arguments: P.args, **options: P.kwargs
) -> AsyncIterator[T_co]:
    """The asynchronous twin of `each`."""
    following: dict[str, Any] = {}
    while True:
        found = await page(*arguments, **(options | following))  # type: ignore[arg-type] # as above
        for one in found.items:
            yield one
        if found.cursor is None:
            return
        following = {"cursor": found.cursor}
