"""From where on the station's health is worth an alert; an operator may change it at run time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from broker.kernel.errors import FieldProblem, InvalidFieldsError


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """The limits of SPEC O2; rates and availability are shares from 0 to 1."""

    critical_score: float = 50
    warning_score: float = 75
    critical_error_rate: float = 0.10
    warning_latency_seconds: float = 5
    warning_availability: float = 0.80

    window_seconds: float = 300
    """How far back errors and latency are looked at."""
    minimum_deliveries: float = 20
    """Fewer deliveries than this within the window say nothing about errors and latency."""
    resolve_after_seconds: float = 60
    """How long a condition must be over before its alert is, so that it does not flutter."""


LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "critical_score": (0, 100),
    "warning_score": (0, 100),
    "critical_error_rate": (0, 1),
    "warning_latency_seconds": (0.001, 86_400),
    "warning_availability": (0, 1),
    "window_seconds": (30, 1200),
    "minimum_deliveries": (1, 1_000_000),
    "resolve_after_seconds": (0, 86_400),
}
"""The least and the most that each may be. The window ends where the samples do."""


def thresholds_from(values: Mapping[str, float]) -> Thresholds:
    """Thresholds of these values, the rest at their defaults.

    Raises `InvalidFieldsError` that names every value out of its limits.
    """
    thresholds = dataclasses.replace(Thresholds(), **values)
    problems = [
        FieldProblem(field=name, message=f"must be from {least:g} to {most:g}")
        for name, (least, most) in LIMITS.items()
        if not (math.isfinite(value := getattr(thresholds, name)) and least <= value <= most)
    ]
    if thresholds.critical_score > thresholds.warning_score:
        problems.append(
            FieldProblem(field="critical_score", message="must not be above warning_score")
        )
    if problems:
        raise InvalidFieldsError(problems)
    return thresholds
