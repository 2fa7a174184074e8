import pytest

from broker.operations.activity import Activity, Sample, activity_since

pytestmark = pytest.mark.unit


def sample(at: int, **totals: int) -> Sample:
    return Sample(at=at, totals={name.replace("__", "."): n for name, n in totals.items()})


def test_without_samples_nothing_is_known() -> None:
    activity = activity_since([], sample(1000, message__accepted=5), 60_000)

    assert activity.window_ms == 0
    assert activity.rate("message.accepted") == 0
    assert activity.error_rate == 0


def test_the_oldest_sample_within_the_window_is_compared_with() -> None:
    samples = [
        sample(90_000, message__accepted=90),
        sample(50_000, message__accepted=50),
        sample(10_000, message__accepted=10),
    ]

    activity = activity_since(samples, sample(100_000, message__accepted=100), 60_000)

    assert activity.window_ms == 50_000
    assert activity.rate("message.accepted") == 1.0


def test_an_event_that_no_sample_knew_counts_from_zero() -> None:
    activity = activity_since([sample(0)], sample(10_000, delivery__dead=5), 60_000)

    assert activity.rate("delivery.dead") == 0.5


def test_samples_from_before_the_data_was_lost_are_passed_over() -> None:
    samples = [sample(90_000, message__accepted=2), sample(80_000, message__accepted=1000)]

    activity = activity_since(samples, sample(100_000, message__accepted=4), 60_000)

    assert activity.window_ms == 10_000
    assert activity.counts["message.accepted"] == 2


def test_samples_of_the_future_are_passed_over() -> None:
    activity = activity_since([sample(200_000)], sample(100_000), 60_000)

    assert activity.window_ms == 0


@pytest.mark.parametrize(
    ("counts", "error_rate"),
    [
        ({}, 0),
        ({"delivery.acknowledged": 9, "delivery.dead": 1}, 0.1),
        ({"delivery.expired": 1, "delivery.dropped": 1}, 1),
        ({"delivery.acknowledged": 1, "delivery.cancelled": 5}, 0),
    ],
)
def test_the_error_rate_is_the_share_of_failures_among_what_finished(
    counts: dict[str, int], error_rate: float
) -> None:
    assert Activity(window_ms=1, counts=counts).error_rate == error_rate
