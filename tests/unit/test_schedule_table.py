"""The station's own schedule: its names stand in Redis and in workers, so they must not drift."""

import pytest
from rq.utils import import_attribute

from broker.operations.processes import Role
from broker.storage.keys import Keys
from broker.storage.timetable import RECURRING_JOB
from scheduler.schedule import SCHEDULE, entries, prefix


def test_the_table_is_as_agreed_with_the_workers() -> None:
    table = {row.name: (row.every_seconds, row.pool, row.job) for row in SCHEDULE}

    assert table == {
        "routing.sweep": (1, "routing", "workers.routing.sweep"),
        "delivery.sweep": (1, "delivery", "workers.delivery.sweep"),
        "retry.sweep": (1, "retry", "workers.retry.sweep"),
        "retry.reap": (5, "retry", "workers.retry.reap"),
        "retry.trim": (60, "retry", "workers.retry.trim"),
        "recurring.sweep": (5, "retry", "workers.retry.fire_overdue"),
        "operations.sample": (10, "retry", "workers.retry.sample_counters"),
        "operations.check_health": (15, "retry", "workers.retry.check_health"),
    }


@pytest.mark.parametrize("job", [row.job for row in SCHEDULE] + [RECURRING_JOB])
def test_each_job_of_the_table_is_found(job: str) -> None:
    assert callable(import_attribute(job))


def test_every_pool_of_the_table_has_workers() -> None:
    assert {row.pool for row in SCHEDULE} <= {str(role) for role in Role}


def test_two_stations_on_one_redis_have_entries_of_their_own() -> None:
    one, other = Keys("one", 1), Keys("two", 1)

    assert {e.name for e in entries(one)}.isdisjoint(e.name for e in entries(other))
    assert one.scheduled_jobs() != other.scheduled_jobs()
    assert one.scheduler_lock() != other.scheduler_lock()


def test_the_prefix_tells_the_stations_entries_from_recurring_messages() -> None:
    keys = Keys("rec_", 1)

    assert all(entry.name.startswith(prefix(keys)) for entry in entries(keys))
    assert not "rec_01JZX5W0QK8M3T5V7X9Z1B3D5F".startswith(prefix(keys))
