"""The dotted names of jobs stand in Redis and in the scheduler's table: they must not drift."""

import inspect

import pytest
from rq.utils import import_attribute

from broker.storage.doorbell import DELIVERY_JOB, ROUTING_JOB

NAMES = (
    "workers.routing.drain",
    "workers.routing.sweep",
    "workers.retry.sweep",
    "workers.retry.reap",
    "workers.retry.trim",
    "workers.retry.sample_counters",
    "workers.retry.check_health",
    "workers.delivery.push",
    "workers.delivery.sweep",
    "workers.execution.ping",
    "workers.execution.discover",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_job_is_found_under_its_name_and_needs_nothing_but_ids(name: str) -> None:
    job = import_attribute(name)

    parameters = inspect.signature(job).parameters.values()
    assert all(parameter.annotation is str for parameter in parameters)


def test_the_doorbells_send_the_jobs_that_drain() -> None:
    assert ROUTING_JOB == "workers.routing.drain"
    assert DELIVERY_JOB == "workers.delivery.push"
