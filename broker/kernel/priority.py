"""Priorities 0-9, four of them with names, and the order that they give a queue (SPEC M3)."""

from __future__ import annotations

from typing import Final

URGENT: Final = 9
HIGH: Final = 7
NORMAL: Final = 5
LOW: Final = 3

PRIORITY_NAMES: Final = {"urgent": URGENT, "high": HIGH, "normal": NORMAL, "low": LOW}
_NAME_OF: Final = {number: name for name, number in PRIORITY_NAMES.items()}
_HIGHEST: Final = 9

# A queue's score is (9 - priority) * 2^48 + sequence: strict between priorities, FIFO within one,
# and still exact in the 53 bits of a Redis score.
ORDER_STEP: Final = 2**48


def order_base(priority: int) -> int:
    """The score at which this priority's messages begin; a sequence number is added to it."""
    return (_HIGHEST - priority) * ORDER_STEP


def order_limit(min_priority: int) -> int:
    """The first score that lies below `min_priority`."""
    return order_base(min_priority) + ORDER_STEP


def display(priority: int) -> str | int:
    """The priority's name where it has one, else its number."""
    return _NAME_OF.get(priority, priority)
