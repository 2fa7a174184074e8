import math

import pytest

from broker.operations.latency import BUCKETS_MS, Histogram
from broker.storage.scripts import _INCLUDES

pytestmark = pytest.mark.unit


def histogram(sum_ms: int = 0, **counts: int) -> Histogram:
    totals = {f"latency_ms_le_{name.removeprefix('to_')}": n for name, n in counts.items()}
    return Histogram.from_totals(totals | {"latency_ms_sum": sum_ms})


def test_nothing_observed_has_no_percentile_and_no_average() -> None:
    empty = histogram()

    assert empty.count == 0
    assert empty.average_ms is None
    assert empty.percentile_ms(50) is None


@pytest.mark.parametrize(
    ("observed", "percent", "expected"),
    [
        (histogram(to_1=1), 100, 1),
        (histogram(to_1=100), 50, 0.5),
        (histogram(to_10=100), 50, 7.5),
        (histogram(to_1=50, to_10=50), 50, 1),
        (histogram(to_1=50, to_10=50), 99, 9.9),
        (histogram(to_1=90, to_60000=10), 95, 35_000),
        (histogram(to_5=10), 0, 2),
    ],
)
def test_a_percentile_is_interpolated_within_its_bucket(
    observed: Histogram, percent: float, expected: float
) -> None:
    assert observed.percentile_ms(percent) == pytest.approx(expected)


def test_beyond_the_last_bound_the_sum_tells_more_than_the_bound() -> None:
    assert histogram(to_inf=2, sum_ms=400_000).percentile_ms(99) == 200_000
    assert histogram(to_inf=2, to_1=1, sum_ms=0).percentile_ms(99) == 60_000


def test_cumulative_counts_end_with_all_of_them() -> None:
    pairs = histogram(to_1=1, to_20=2, to_inf=3).cumulative()

    assert pairs[0] == (1.0, 1)
    assert (20.0, 3) in pairs
    assert pairs[-1] == (math.inf, 6)


def test_the_bounds_are_those_that_lua_counts_by() -> None:
    lua = (_INCLUDES / "latency.lua").read_text()

    assert f"{{ {', '.join(map(str, BUCKETS_MS))} }}" in lua
