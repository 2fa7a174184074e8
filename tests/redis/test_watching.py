"""Watching on a real Redis: every event once, in one order, from any position."""

import threading
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from broker.kernel.errors import StorageUnavailableError
from broker.kernel.ids import AgentId, MessageId, Partition
from broker.operations.activity_store import ActivityStore
from broker.operations.interest import Interest
from broker.operations.recent_events import Gap, Told
from broker.operations.timeline import Event, Position
from broker.operations.watch import Watch
from broker.operations.watching import Watching
from tests.redis.conftest import MakeStage
from tests.redis.racing import race
from tests.redis.stage import Stage
from tests.waiting import until

WITHIN = 20
GOING = threading.Event()


def of(stage: Stage) -> Watching:
    """A process of its own."""
    return Watching(ActivityStore(stage.broker.redis, stage.broker.keys))


def take_until(watch: Watch, enough: Callable[[list[Told]], bool]) -> list[Told]:
    told: list[Told] = []

    def has_enough() -> bool:
        told.extend(watch.take(0.1, GOING))
        return enough(told)

    until(has_enough, within=WITHIN, what="what was to be told")
    return told


def messages(told: list[Told], name: str = "message.accepted") -> list[MessageId]:
    return [
        item.message_id
        for one in told
        if isinstance(one, Event) and one.name == name
        for item in one.items
        if item.message_id
    ]


def see(*ids: MessageId, name: str = "message.accepted") -> Callable[[list[Told]], bool]:
    return lambda told: set(ids) <= set(messages(told, name))


def everything(stage: Stage) -> list[Position]:
    """The positions of all events that the streams hold."""
    readings = ActivityStore(stage.broker.redis, stage.broker.keys).read(
        [(0, 0)] * stage.broker.keys.partitions
    )
    return sorted(event.position for reading in readings for event in reading.events)


def test_a_watcher_is_told_what_happens_from_now_on(stage: Stage) -> None:
    before = stage.deliver()

    with stage.broker.watching.watch(Interest()) as watch:
        sent = stage.deliver()
        stage.ack(stage.lease(limit=2)[1])
        told = take_until(watch, see(sent, name="delivery.acknowledged"))

    assert before not in messages(told)
    assert [
        one.name
        for one in told
        if isinstance(one, Event) and any(item.message_id == sent for item in one.items)
    ] == ["message.accepted", "delivery.queued", "delivery.leased", "delivery.acknowledged"]


def test_watchers_of_several_processes_are_told_the_same_in_the_same_order(stage: Stage) -> None:
    names = [f"sender-{number}" for number in range(8)]
    stage.register(*names)
    interest = Interest(events=("message.*", "delivery.*"))
    with (
        of(stage).watch(interest) as one,
        of(stage).watch(interest) as other,
        of(stage).watch(interest) as third,
    ):
        sent = race(*[lambda name=name: stage.send(sender=name) for name in names for _ in "12345"])
        stage.route()
        told = [
            take_until(watch, see(*sent, name="delivery.queued")) for watch in (one, other, third)
        ]

    assert told[0] == told[1] == told[2]
    positions = [event.position for event in told[0] if isinstance(event, Event)]
    assert positions == everything(stage)[-len(positions) :]


def test_a_watcher_resumes_behind_any_event_without_loss_or_repetition(stage: Stage) -> None:
    with stage.broker.watching.watch(Interest()) as watch:
        sent = [stage.send(sender=name) for name in ("alice", "bob") * 5]
        whole = take_until(watch, see(*sent))
    positions = [event.position for event in whole if isinstance(event, Event)]

    for index, position in enumerate(positions):
        with of(stage).watch(Interest(), after=position) as again:
            told = take_until(again, see(*messages(whole[index + 1 :])))
            assert told == whole[index + 1 :]


def test_a_watcher_that_resumes_misses_nothing_while_more_is_written(stage: Stage) -> None:
    with stage.broker.watching.watch(Interest()) as watch:
        first = stage.send()
        take_until(watch, see(first))
        start = watch.position
    done = threading.Event()
    sent: list[MessageId] = []

    def keep_sending() -> None:
        while not done.is_set():
            sent.append(stage.send(sender=("alice", "bob")[len(sent) % 2]))

    sender = threading.Thread(target=keep_sending)
    sender.start()
    watching, told = of(stage), list[Told]()
    # Others keep the reader ahead of those who come.
    with watching.watch(Interest()):
        for _ in range(20):
            with watching.watch(Interest(), after=start) as again:
                told += take_until(again, bool)
                start = again.position
        done.set()
        sender.join()
        with watching.watch(Interest(), after=start) as again:
            told += take_until(again, lambda rest: set(sent) <= {*messages(told), *messages(rest)})

    assert messages(told) == sorted(sent, key=messages(told).index)
    assert len(messages(told)) == len(set(sent))


def test_a_watcher_that_fell_behind_reads_what_it_lacks(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.operations.recent_events._KEPT_ITEMS", 4)
    watching = of(stage)
    with watching.watch(Interest()) as slow, watching.watch(Interest()) as quick:
        sent = [stage.send(sender=name) for name in ("alice", "bob") * 12]
        expected = take_until(quick, see(*sent))
        told = take_until(slow, see(*sent))

    assert told == expected
    assert not any(isinstance(one, Gap) for one in told)


def test_what_the_streams_no_longer_hold_is_announced_as_a_gap(make_stage: MakeStage) -> None:
    stage = make_stage(activity_max_events=100)
    with stage.broker.watching.watch(Interest()) as watch:
        first = stage.send()
        take_until(watch, see(first))
        start = watch.position
    for _ in range(12):
        stage.broker.queue.send_many([stage.draft(body=str(number)) for number in range(500)])

    with of(stage).watch(Interest(), after=start) as again:
        told = take_until(again, lambda told: len(told) > 1)

    assert told[0] == Gap(behind=start)
    assert messages(told)


def test_who_does_not_follow_is_told_what_happened_until_now(stage: Stage) -> None:
    sent = [stage.send(sender=name) for name in ("alice", "bob") * 3]

    told: list[Told] = []
    with stage.broker.watching.watch(Interest(), follow=False) as watch:
        stage.send()
        while not watch.is_over:
            told += watch.take(60, GOING)

    assert set(messages(told)) >= set(sent)
    assert [one.position for one in told if isinstance(one, Event)] == everything(stage)[
        : len(told)
    ]


def test_what_is_written_at_the_very_position_where_a_watcher_began_is_told(stage: Stage) -> None:
    with of(stage).watch(Interest()) as watch:
        began = watch.position
    partitions = stage.broker.keys.partitions
    for partition in range(partitions):
        key = stage.broker.keys.activity(Partition(partition))
        stage.broker.redis.command("DEL", key)
        stage.broker.redis.command(
            "XADD", key, f"{began.ms}-{began.seq}", "event", "x.y", "ids", str(partition)
        )

    with of(stage).watch(Interest(), after=began) as again:
        told = take_until(again, lambda told: len(told) == partitions)

    assert [one.position.partition for one in told if isinstance(one, Event)] == [
        *range(partitions)
    ]


def test_a_position_that_the_streams_still_hold_is_no_gap(make_stage: MakeStage) -> None:
    stage = make_stage(activity_max_events=100)
    for _ in range(12):
        stage.broker.queue.send_many([stage.draft(body=str(number)) for number in range(500)])
    with stage.broker.watching.watch(Interest()) as watch:
        first = stage.send()
        take_until(watch, see(first))
        start = watch.position
    second = stage.send()

    with of(stage).watch(Interest(), after=start) as again:
        told = take_until(again, see(second))

    assert messages(told) == [second]
    assert not any(isinstance(one, Gap) for one in told)


def test_a_position_that_nobody_gave_out_is_a_gap_and_then_now(stage: Stage) -> None:
    beyond = Position(stage.now() + 3_600_000, 0, 1)

    with of(stage).watch(Interest(), after=beyond) as watch:
        sent = stage.send()
        told = take_until(watch, see(sent))

    assert told[0] == Gap(behind=beyond)


def test_a_position_just_ahead_of_this_process_repeats_nothing(stage: Stage) -> None:
    watching = of(stage)
    with watching.watch(Interest()) as here, of(stage).watch(Interest()) as elsewhere:
        sent = [stage.send() for _ in range(3)]
        ahead = take_until(elsewhere, see(*sent))
        last = [one for one in ahead if isinstance(one, Event)][1].position
        with watching.watch(Interest(), after=last) as moved:
            told = take_until(moved, see(sent[-1]))
        take_until(here, see(*sent))

    assert messages(told) == sent[2:]


def test_an_agent_is_told_of_its_own_messages_only(stage: Stage) -> None:
    stage.register("carol", "dave")

    with stage.broker.watching.watch(Interest(viewer=frozenset({AgentId("bob")}))) as watch:
        others = stage.deliver("dave", "carol")
        received, sent = stage.deliver("bob", "carol"), stage.deliver("carol", "bob")
        told = take_until(watch, see(received, sent, name="delivery.queued"))

    assert others not in messages(told) + messages(told, "delivery.queued")
    assert messages(told) == [sent]
    assert set(messages(told, "delivery.queued")) == {received, sent}


def test_watchers_are_told_again_once_redis_has_come_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.operations.watching._RETRY_SECONDS", 0.01)
    store = ActivityStore(stage.broker.redis, stage.broker.keys)
    watching, pause = Watching(store), threading.Event()
    failed = threading.Event()
    read = store.read

    def fail_for_now(starts: object) -> object:
        if not pause.is_set():
            failed.set()
            raise StorageUnavailableError("away")
        return read(starts)  # type: ignore[arg-type]

    with watching.watch(Interest()) as watch:
        monkeypatch.setattr(store, "read", fail_for_now)
        sent = stage.send()
        assert failed.wait(WITHIN)
        pause.set()
        told = take_until(watch, see(sent))

    assert messages(told) == [sent]


def test_the_reader_rests_while_nobody_watches(stage: Stage) -> None:
    watching = of(stage)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(watching.watch(Interest()))

    until(lambda: watching._recent is None, within=WITHIN, what="the reader has ended")
    with watching.watch(Interest()) as watch:
        sent = stage.send()
        assert messages(take_until(watch, see(sent))) == [sent]


def test_a_watcher_is_woken_when_its_process_stops(stage: Stage) -> None:
    stop = threading.Event()
    with stage.broker.watching.watch(Interest()) as watch:
        waiting = threading.Thread(target=watch.take, args=(60, stop))
        waiting.start()
        stop.set()
        stage.broker.watching.wake_all()
        waiting.join(WITHIN)

        assert not waiting.is_alive()
