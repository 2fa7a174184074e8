"""Metrics of a web process with several workers: whichever answers, the totals are the same."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from config.settings import ROOT
from tests.process.stations import free_port
from tests.waiting import until

pytestmark = pytest.mark.process

REQUESTS = 200


@pytest.fixture
def web(
    redis_url: str, jobs_redis_url: str, namespace: str, tmp_path: Path
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The URL of a web process with two workers, and its master."""
    port = free_port()
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith("WAYSTATION_")
    } | {
        "REDIS_URL": redis_url,
        "JOBS_REDIS_URL": jobs_redis_url,
        "API_PORT": str(port),
        "WAYSTATION_DATA_DIR": str(tmp_path),
        "WAYSTATION_NAMESPACE": namespace,
        "WAYSTATION_WEB_WORKERS": "2",
    }
    command = ["gunicorn", "-c", "config/gunicorn.conf.py", "app.factory:create_app()"]
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env=environ)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _answers(url), within=20, what=f"{url} answers")
        until(lambda: len(_workers(process)) == 2, within=20, what="two workers")
        yield url, process
    finally:
        process.terminate()
        process.wait(20)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=2).ok
    except (requests.ConnectionError, requests.Timeout):
        return False


def _workers(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children()


def _scrape(url: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    # A connection of its own each time, so that either worker may get it.
    text = requests.get(f"{url}/metrics", headers={"Connection": "close"}, timeout=10).text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _counted(url: str) -> float:
    return sum(
        value
        for (name, _), value in _scrape(url).items()
        if name == "waystation_http_request_total"
    )


def _ask(url: str, count: int) -> None:
    def ask(number: int) -> None:
        agent = {"id": f"agent-{number}"}
        requests.post(f"{url}/api/v1/agents/register", json=agent, timeout=10)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(count)))


def test_every_scrape_tells_the_same_totals(web: tuple[str, subprocess.Popen[bytes]]) -> None:
    url, _ = web

    _ask(url, REQUESTS)

    scrapes = [_scrape(url) for _ in range(8)]
    totals = [
        {
            key: value
            for key, value in scrape.items()
            if key[0] in {"waystation_http_request_total", "waystation_events_total"}
        }
        for scrape in scrapes
    ]
    assert (
        sum(
            value
            for (name, _), value in totals[0].items()
            if name == "waystation_http_request_total"
        )
        == REQUESTS
    )
    assert all(total == totals[0] for total in totals)


def test_what_a_killed_worker_counted_is_not_lost(
    web: tuple[str, subprocess.Popen[bytes]],
) -> None:
    url, master = web
    _ask(url, REQUESTS)
    victim, _ = _workers(master)

    victim.kill()
    until(
        lambda: victim.pid not in {worker.pid for worker in _workers(master)} and _answers(url),
        within=20,
        what="the worker is replaced",
    )

    assert _counted(url) == REQUESTS
    _ask(url, 10)
    assert _counted(url) == REQUESTS + 10
