"""The kernel's pure parts: ids, priorities, times, and the table of moves."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.kernel.clock import from_ms, rfc3339, seconds_to_ms, to_ms
from broker.kernel.errors import (
    BrokerError,
    FieldProblem,
    InvalidFieldsError,
    StorageUnavailableError,
    UnknownAgentError,
)
from broker.kernel.events import ALLOWED_MOVES, FINAL_STATES, DeliveryState
from broker.kernel.ids import (
    MAX_PARTITIONS,
    Partition,
    created_ms,
    is_id,
    new_id,
    partition_for,
    partition_of,
)
from broker.kernel.priority import PRIORITY_NAMES, display, order_base, order_limit

MOMENTS = st.integers(min_value=0, max_value=2**48 - 1)
PARTITIONS = st.integers(min_value=0, max_value=MAX_PARTITIONS - 1).map(Partition)


@given(at_ms=MOMENTS, partition=PARTITIONS)
def test_an_id_carries_its_time_and_its_partition(at_ms: int, partition: Partition) -> None:
    identifier = new_id("msg", at_ms=at_ms, partition=partition)

    assert is_id(identifier)
    assert created_ms(identifier) == at_ms
    assert partition_of(identifier, MAX_PARTITIONS) == partition


@given(times=st.lists(st.integers(min_value=0, max_value=2**41), min_size=2, max_size=20))
def test_ids_sort_as_they_were_made(times: list[int]) -> None:
    made = [new_id("msg", at_ms=at_ms, partition=Partition(5)) for at_ms in sorted(times)]

    assert made == sorted(set(made))


@given(name=st.text(min_size=1), partitions=st.integers(min_value=1, max_value=MAX_PARTITIONS))
def test_every_name_has_one_partition(name: str, partitions: int) -> None:
    assert 0 <= partition_for(name, partitions) < partitions
    assert partition_of(name, partitions) == partition_of(name, partitions)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "msg_",
        "msg_01ARZ3NDEKTSV4RRFFQ69G5FA",
        "msg_01ARZ3NDEKTSV4RRFFQ69G5FAVX",
        "msg_81ARZ3NDEKTSV4RRFFQ69G5FAV",
        "msg_01ARZ3NDEKTSV4RRFFQ69G5FAI",
        "msg_01arz3ndektsv4rrffq69g5fav",
        "MSG_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "msg_01ARZ3NDEKTSV4RRFFQ69G5FAV\n",
    ],
)
def test_what_only_looks_like_an_id_is_none(text: str) -> None:
    assert not is_id(text)


def test_every_priority_is_strictly_before_the_next_whatever_the_sequence() -> None:
    longest_sequence = 2**47

    for priority in range(9):
        assert order_base(priority + 1) + longest_sequence < order_base(priority)
        assert order_limit(priority + 1) <= order_base(priority)


@given(priority=st.integers(min_value=0, max_value=9), half=st.booleans())
def test_orders_are_exact_in_the_53_bits_of_a_redis_score(priority: int, *, half: bool) -> None:
    order = order_base(priority) + 2**47 + (0.5 if half else 0)

    assert float(repr(order)) == order
    assert order != float(order) + 0.5


def test_named_priorities_are_shown_by_name_and_the_others_by_number() -> None:
    assert {display(number) for number in PRIORITY_NAMES.values()} == set(PRIORITY_NAMES)
    assert display(4) == 4


@given(at_ms=st.integers(min_value=0, max_value=253_402_300_799_999))
def test_times_survive_the_way_to_a_moment_and_back(at_ms: int) -> None:
    assert to_ms(from_ms(at_ms)) == at_ms
    assert datetime.fromisoformat(rfc3339(at_ms)) == from_ms(at_ms)


def test_times_are_shown_in_utc_with_milliseconds() -> None:
    assert rfc3339(to_ms(datetime(2026, 1, 31, 12, tzinfo=UTC))) == "2026-01-31T12:00:00.000Z"
    assert seconds_to_ms(0.5) == 500


def test_nothing_moves_out_of_a_final_state_but_a_dead_letter() -> None:
    for state in FINAL_STATES - {DeliveryState.DEAD}:
        assert ALLOWED_MOVES[state] == frozenset()
    assert ALLOWED_MOVES[DeliveryState.DEAD] == {DeliveryState.QUEUED, DeliveryState.RESOLVED}


def test_every_state_can_come_to_an_end() -> None:
    for state in DeliveryState:
        seen, ahead = set(), {state}
        while ahead:
            seen |= ahead
            ahead = {after for one in ahead for after in ALLOWED_MOVES[one]} - seen
        assert seen & FINAL_STATES


def all_errors(tree: type[BrokerError]) -> list[type[BrokerError]]:
    return [tree, *(error for child in tree.__subclasses__() for error in all_errors(child))]


def test_every_error_has_a_code_of_its_own_and_a_meaning() -> None:
    errors = [error for error in all_errors(BrokerError) if "code" in vars(error)]

    assert len({error.code for error in errors}) == len(errors)
    assert all(error.__doc__ for error in all_errors(BrokerError))


def test_an_error_names_what_is_wrong_and_whether_to_try_again() -> None:
    problem = FieldProblem(field="to", message="must not be empty")

    assert "to" in InvalidFieldsError([problem]).detail
    assert InvalidFieldsError([problem]).permanent
    assert not StorageUnavailableError("away", retry_after_seconds=1).permanent
    assert "Did you mean bob?" in UnknownAgentError(["bop"], ["bob"], field="to").detail
