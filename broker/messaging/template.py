"""Text with variables, as recurring messages have it in subject and body: `{{date}}`.

Plain substitution and nothing more: whoever may schedule a message may not run code with it.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Final

VARIABLES: Final = frozenset({"count", "date", "id", "now", "scheduled_at"})
"""What a template may name: how many were sent with this one, the slot's date in the message's
time zone, the recurring message's id, the moment of sending, the slot's moment."""


class _DoubleBraces(string.Template):
    """`{{name}}` in place of `$name`; `{{{{` stands for two braces."""

    delimiter = "{{"
    pattern = r"""
        \{\{(?:
            (?P<escaped>\{\{) |
            [ \t]*(?P<named>[A-Za-z_][A-Za-z0-9_]*)[ \t]*\}\} |
            (?P<braced>(?!)) |
            (?P<invalid>)
        )
    """  # type: ignore[assignment] # string.Template compiles it


def problem_of(text: str) -> str | None:
    """What is wrong with a template, as a sentence to show; None if nothing is."""
    template = _DoubleBraces(text)
    known = ", ".join(f"{{{{{name}}}}}" for name in sorted(VARIABLES))
    if not template.is_valid():
        return (
            f"holds '{{{{' without a variable; write '{{{{{{{{' for two braces, or one of {known}"
        )
    unknown = sorted(set(template.get_identifiers()) - VARIABLES)
    if unknown:
        return f"names the unknown variable {unknown[0]!r}; known are {known}"
    return None


def rendered(text: str, values: Mapping[str, str]) -> str:
    """The text with its variables filled in."""
    return _DoubleBraces(text).substitute(values)
