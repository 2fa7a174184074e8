"""The answer to a Prometheus scrape: this application's requests, and the whole station (SPEC O1).

What requests took is counted by each web process, in files that all of them read. What the station
holds is read from Redis at each scrape. So the answer is the same whichever process gives it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from flask import Flask, Request
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_flask_exporter import PrometheusMetrics

from app.station_metrics import PREFIX, StationCollector
from broker.operations.monitor import Health

_EXTENSION: Final = "waystation_request_metrics"
_MULTIPROCESS: Final = "PROMETHEUS_MULTIPROC_DIR"
# Scrapes and probes would only count themselves, and a WebSocket lasts for hours.
_UNCOUNTED: Final = "/metrics|/health|/ws/"
# Most requests take a few milliseconds; long polls take up to a minute.
_BUCKETS_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 10, 60)


class _RequestMetrics(PrometheusMetrics):  # type: ignore[misc] # publishes no types
    """Without the exporter's own version, a gauge that would leave a series for each process."""

    def info(self, *_: object, **__: object) -> None:
        """Export nothing."""


class _Together(Collector):
    """Several collectors as one."""

    def __init__(self, *collectors: Collector) -> None:
        self._collectors = collectors

    def collect(self) -> Iterator[Metric]:
        """The metrics of all of them."""
        for collector in self._collectors:
            yield from collector.collect()


def route(request: Request) -> str:
    """The route that a request matched: there are few, while paths are as many as messages."""
    return str(request.url_rule) if request.url_rule else "unmatched"


def count_requests(app: Flask) -> None:
    """Count and time what this application is asked, from now on."""
    registry = CollectorRegistry()
    _RequestMetrics(
        app,
        path=None,
        defaults_prefix=PREFIX,
        group_by=route,
        buckets=_BUCKETS_SECONDS,
        excluded_paths=_UNCOUNTED,
        registry=registry,
    )
    app.extensions[_EXTENSION] = registry


def exposition(app: Flask, health: Health, accept: str) -> tuple[bytes, str]:
    """All metrics in the format that the scraper accepts, and its content type."""
    requests: Collector = app.extensions[_EXTENSION]
    if _MULTIPROCESS in os.environ:
        requests = MultiProcessCollector(None)  # type: ignore[no-untyped-call]
    encode, content_type = choose_encoder(accept)
    return encode(_Together(requests, StationCollector(health))), content_type
