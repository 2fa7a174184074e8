"""Listing messages and conversations, page by page."""

import pytest

from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId, ThreadId
from broker.messaging.queue import Accepted
from broker.messaging.receipts import Listing, UnknownThreadError
from tests.redis.stage import Stage


def send_many(stage: Stage, count: int, **fields: object) -> list[MessageId]:
    drafts = [stage.draft(**fields) for _ in range(count)]  # type: ignore[arg-type]
    results = stage.broker.queue.send_many(drafts)
    return [result.id for result in results if isinstance(result, Accepted)]


def pages(stage: Stage, wanted: Listing, limit: int) -> list[MessageId]:
    seen: list[MessageId] = []
    before = None
    while True:
        page, before = stage.broker.archive.find(wanted, limit=limit, before=before)
        assert len(page) <= limit
        seen += [one.message.id for one in page]
        if before is None:
            return seen


@pytest.mark.parametrize("limit", [1, 7, 50, 500])
def test_every_message_is_listed_once_newest_first(stage: Stage, limit: int) -> None:
    sent = [name for who in ("alice", "dora", "erin") for name in send_many(stage, 10, sender=who)]

    assert pages(stage, Listing(), limit) == sorted(sent, key=lambda name: name[4:], reverse=True)


def test_more_than_one_scan_of_a_partition_is_listed_once(stage: Stage) -> None:
    sent = send_many(stage, 450)

    assert pages(stage, Listing(sender=AgentId("alice")), 100) == sent[::-1]


def test_what_comes_while_a_list_is_read_puts_nothing_on_it_twice(stage: Stage) -> None:
    sent = send_many(stage, 450)
    archive = stage.broker.archive
    names: list[MessageId] = []

    for name in archive._newest_first(Listing(), None):
        if len(names) == 100:
            send_many(stage, 50)
        names.append(name)

    assert names == sent[::-1]


def test_messages_are_found_by_what_they_are(stage: Stage) -> None:
    stage.register("carol")
    task = stage.send(kind="task", channel="ops")
    reply = stage.send("alice", "bob", reply_to=task)
    several = stage.send(("bob", "carol"))
    stage.route()
    stage.ack(stage.lease_one())

    def found(**wanted: object) -> list[MessageId]:
        return pages(stage, Listing(**wanted), 10)  # type: ignore[arg-type]

    assert found(kind="task") == found(channel="ops") == [task]
    assert found(sender=AgentId("bob")) == [reply]
    assert found(recipient=AgentId("carol")) == [several]
    assert found(thread_id=ThreadId(task)) == [reply, task]
    assert found(state=DeliveryState.ACKNOWLEDGED) == [task]
    created = stage.broker.archive.get(task).message.created_at
    assert found(until=created - 1) == []
    assert set(found(since=created)) == {task, reply, several}


def test_a_conversation_is_shown_in_order_and_an_unknown_one_is_not_found(stage: Stage) -> None:
    first = stage.send()
    thread = ThreadId(first)
    rest = [stage.send("alice", "bob", thread_id=thread) for _ in range(20)]

    seen: list[MessageId] = []
    after = None
    while True:
        page, after = stage.broker.archive.thread(thread, limit=6, after=after)
        seen += [one.message.id for one in page]
        if after is None:
            break

    assert seen == [first, *rest]
    with pytest.raises(UnknownThreadError):
        stage.broker.archive.thread(ThreadId("nothing"), limit=6)


def test_a_conversation_may_have_a_name_of_its_own(stage: Stage) -> None:
    sent = [stage.send(thread_id=ThreadId("release 1.2 {x}")) for _ in range(3)]

    listed, _ = stage.broker.archive.thread(ThreadId("release 1.2 {x}"), limit=10)

    assert [one.message.id for one in listed] == sent
