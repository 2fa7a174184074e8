import pytest

from bench.statistics import median_of_ratios, percentile, spread

pytestmark = pytest.mark.unit


def test_a_percentile_is_a_value_that_was_seen() -> None:
    seen = [40.0, 10.0, 30.0, 20.0]

    assert percentile(seen, 50) == 20.0
    assert percentile(seen, 51) == 30.0
    assert percentile(seen, 99) == 40.0


def test_the_ends_are_the_least_and_the_greatest() -> None:
    seen = [3.0, 1.0, 2.0]

    assert percentile(seen, 0) == 1.0
    assert percentile(seen, 100) == 3.0


def test_one_value_is_every_percentile() -> None:
    assert spread([7.0]).p50 == spread([7.0]).p99 == 7.0


def test_a_hundredth_of_outliers_does_not_reach_p99() -> None:
    seen = [1.0] * 99 + [1000.0]

    assert spread(seen).p99 == 1.0


def test_the_measured_values_stay_in_their_order() -> None:
    seen = [2.0, 1.0]

    percentile(seen, 50)

    assert seen == [2.0, 1.0]


@pytest.mark.parametrize("share", [-1, 101, float("nan")])
def test_a_share_outside_a_hundred_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="no percentage"):
        percentile([1.0], share)


def test_nothing_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        spread([])


def test_a_disturbance_that_meets_both_of_a_pair_leaves_the_ratio_alone() -> None:
    baseline = [1000.0, 100.0, 1000.0]
    measured = [700.0, 70.0, 700.0]

    assert median_of_ratios(measured, baseline) == pytest.approx(0.7)


def test_a_disturbance_that_meets_one_of_a_pair_is_outvoted() -> None:
    baseline = [1000.0, 100.0, 1000.0]
    measured = [700.0, 700.0, 700.0]

    assert median_of_ratios(measured, baseline) == pytest.approx(0.7)


@pytest.mark.parametrize(("measured", "beside"), [([1.0], []), ([], []), ([1.0], [1.0, 2.0])])
def test_unequal_series_make_no_pairs(measured: list[float], beside: list[float]) -> None:
    with pytest.raises(ValueError, match="no pairs"):
        median_of_ratios(measured, beside)


def test_a_baseline_of_zero_has_no_ratio() -> None:
    with pytest.raises(ValueError, match="zero"):
        median_of_ratios([1.0], [0.0])
