"""When recurring messages are due: next times, changes of the clocks, and missed slots."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.kernel.clock import from_ms, to_ms
from broker.kernel.errors import InvalidFieldsError
from broker.messaging.recurrence import (
    CATCH_UP_MOST,
    PROMPT_MS,
    CatchUp,
    Interval,
    Schedule,
    next_turn,
    parse_schedule,
    upcoming,
)

NOW = to_ms(datetime(2026, 3, 1, 12, tzinfo=UTC))
YEAR_MS = 366 * 86_400_000

moments = st.integers(min_value=NOW - YEAR_MS, max_value=NOW + YEAR_MS)
intervals = st.integers(min_value=1_000, max_value=7 * 86_400_000).map(
    lambda every_ms: Interval(every_ms=every_ms, anchor_ms=NOW)
)
crons = st.builds(
    lambda expression, zone: parse_schedule(expression, zone, anchor_ms=NOW),
    st.sampled_from(
        ["* * * * *", "*/7 * * * *", "30 2 * * *", "0 0,12 1 * mon", "15 */3 * * *", "59 23 L * *"]
    ),
    st.sampled_from(
        ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
    ),
)
schedules = st.one_of(intervals, crons)


def local(schedule: str, zone: str, start: datetime, count: int) -> list[str]:
    """Return the first slots after a local time, as they stand on the wall there."""
    place = ZoneInfo(zone)
    parsed = parse_schedule(schedule, zone, anchor_ms=NOW)
    after = to_ms(start.replace(tzinfo=place))
    slots = islice(upcoming(parsed, after_ms=after), count)
    return [from_ms(slot).astimezone(place).strftime("%d %H:%M%z") for slot in slots]


@given(schedules, moments, st.integers(min_value=0, max_value=86_400_000))
def test_the_next_slot_lies_ahead_and_nothing_between_has_an_earlier_one(
    schedule: Schedule, moment: int, earlier: int
) -> None:
    slot = schedule.after(moment)

    assert slot is not None
    assert slot > moment
    assert schedule.after(slot - 1) == slot
    before = schedule.after(moment - earlier)
    assert before is not None
    assert before <= slot


@given(crons, moments)
def test_cron_slots_are_whole_minutes_and_rise(schedule: Schedule, moment: int) -> None:
    slots = list(islice(upcoming(schedule, after_ms=moment), 20))

    assert all(slot % 60_000 == 0 for slot in slots)
    assert slots == sorted(set(slots))


@given(intervals, moments, st.integers(min_value=1, max_value=50))
def test_intervals_never_drift(schedule: Interval, moment: int, count: int) -> None:
    slots = list(islice(upcoming(schedule, after_ms=moment), count))

    assert all((slot - schedule.anchor_ms) % schedule.every_ms == 0 for slot in slots)
    assert all(b - a == schedule.every_ms for a, b in pairwise(slots))


def test_an_interval_begins_one_interval_after_its_creation() -> None:
    schedule = parse_schedule("interval:60", "UTC", anchor_ms=NOW)

    assert schedule.after(NOW) == NOW + 60_000


def test_a_time_left_out_by_the_clocks_comes_at_the_end_of_the_gap() -> None:
    slots = local("30 2 * * *", "Europe/Berlin", datetime(2026, 3, 28, 12), 2)  # noqa: DTZ001

    assert slots == ["29 03:00+0200", "30 02:30+0200"]


def test_a_time_that_the_clocks_show_twice_counts_once_and_first() -> None:
    slots = local("30 2 * * *", "Europe/Berlin", datetime(2026, 10, 24, 12), 2)  # noqa: DTZ001

    assert slots == ["25 02:30+0200", "26 02:30+0100"]


def test_hourly_slots_go_on_while_the_clocks_are_set_back() -> None:
    slots = local("30 * * * *", "Europe/Berlin", datetime(2026, 10, 25, 1), 4)  # noqa: DTZ001

    assert slots == ["25 01:30+0200", "25 02:30+0200", "25 02:30+0100", "25 03:30+0100"]


def test_hourly_slots_leave_out_the_hour_that_the_clocks_skip() -> None:
    slots = local("30 * * * *", "America/New_York", datetime(2026, 3, 8, 1), 3)  # noqa: DTZ001

    assert slots == ["08 01:30-0500", "08 03:30-0400", "08 04:30-0400"]


def test_a_zone_that_shifts_by_half_an_hour_is_followed() -> None:
    slots = local("15 2 * * *", "Australia/Lord_Howe", datetime(2026, 10, 3, 12), 2)  # noqa: DTZ001

    assert slots == ["04 02:30+1100", "05 02:15+1100"]


def test_a_single_time_has_one_slot() -> None:
    schedule = parse_schedule("at:2026-03-01T14:00:00+01:00", "UTC", anchor_ms=NOW)

    assert list(upcoming(schedule, after_ms=NOW)) == [NOW + 3_600_000]


def test_a_date_that_never_comes_has_no_slot() -> None:
    assert parse_schedule("0 0 30 2 *", "UTC", anchor_ms=NOW).after(NOW) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hourly",
        "@daily",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "*/0 * * * *",
        "R * * * *",
        "H * * * *",
        "interval:",
        "interval:0",
        "interval:0.5",
        "interval:-5",
        "interval:1e3",
        "interval:nan",
        "interval:٣٠",
        "interval:9999999999",
        "at:",
        "at:tomorrow",
        "at:2026-03-01T14:00:00",
        "at:9999-12-31T23:59:59Z",
        "* * * * *" + " " * 200,
    ],
)
def test_what_is_no_schedule_is_refused_with_the_form_that_it_should_have(text: str) -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        parse_schedule(text, "UTC", anchor_ms=NOW)

    (problem,) = refused.value.problems
    assert problem.field == "schedule"


@pytest.mark.parametrize("zone", ["", "Mars/Base", "../etc/passwd", "localtime", "\0", "Europe"])
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        parse_schedule("* * * * *", zone, anchor_ms=NOW)

    assert [problem.field for problem in refused.value.problems] == ["timezone"]


# --- what to do with slots that have come -----------------------------------------------------


def play(
    schedule: Schedule, *, start: int, now: int, until: int | None, catch_up: CatchUp
) -> tuple[list[int], int, int | None]:
    """Take turns until nothing is due: what was sent, how many were missed, and the next slot."""
    sent: list[int] = []
    missed = 0
    next_at: int | None = start
    while next_at is not None:
        turn = next_turn(schedule, next_at=next_at, now_ms=now, until_ms=until, catch_up=catch_up)
        if turn is None:
            break
        assert turn.first == next_at
        assert turn.then is None or turn.then > turn.last
        if turn.sends:
            sent.append(turn.first)
        missed += turn.missed
        next_at = turn.then
    return sent, missed, next_at


@given(
    intervals,
    st.integers(min_value=0, max_value=30 * 86_400_000),
    st.sampled_from(CatchUp),
    st.none() | st.integers(min_value=NOW, max_value=NOW + YEAR_MS),
)
def test_every_slot_that_has_come_is_either_sent_once_or_counted_as_missed(
    schedule: Interval, late: int, catch_up: CatchUp, until: int | None
) -> None:
    start = NOW + schedule.every_ms
    now = start + min(late, 20_000 * schedule.every_ms)
    if until is not None and until <= start:
        until = None
    last = now if until is None else min(now, until - 1)
    come = range(start, last + 1, schedule.every_ms)

    sent, missed, next_at = play(schedule, start=start, now=now, until=until, catch_up=catch_up)

    assert len(sent) + missed == len(come)
    assert sent == list(come[len(come) - len(sent) :])
    assert next_at is None or next_at == come[-1] + schedule.every_ms
    if catch_up is CatchUp.CATCH_UP:
        assert len(sent) == min(len(come), CATCH_UP_MOST)
    else:
        assert all(slot >= now - PROMPT_MS for slot in sent)
        assert len(sent) == sum(slot >= now - PROMPT_MS for slot in come)


@settings(max_examples=20, deadline=None)  # each example may take a hundred turns
@given(crons, moments, st.timedeltas(timedelta(), timedelta(hours=3)))
def test_cron_slots_are_caught_up_in_order(
    schedule: Schedule, moment: int, late: timedelta
) -> None:
    start = schedule.after(moment)
    assert start is not None
    now = start + int(late.total_seconds() * 1000)

    sent, missed, next_at = play(
        schedule, start=start, now=now, until=None, catch_up=CatchUp.CATCH_UP
    )

    assert sent[0] == start or missed > 0
    assert sent == sorted(set(sent))
    assert next_at == schedule.after(now)


def test_nothing_is_done_before_the_slot() -> None:
    schedule = Interval(every_ms=1000, anchor_ms=NOW)

    turn = next_turn(
        schedule, next_at=NOW + 1000, now_ms=NOW + 999, until_ms=None, catch_up=CatchUp.SKIP
    )

    assert turn is None


def test_a_slot_that_new_rules_of_the_time_zone_took_away_is_gone_past() -> None:
    schedule = parse_schedule("0 9 * * *", "Europe/Berlin", anchor_ms=NOW)
    stale = NOW - 60_000

    turn = next_turn(schedule, next_at=stale, now_ms=NOW, until_ms=None, catch_up=CatchUp.SKIP)

    assert turn is not None
    assert (turn.sends, turn.missed) == (False, 0)
    assert turn.then == schedule.after(NOW)
