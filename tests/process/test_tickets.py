"""Questions and answers across processes that are killed meanwhile: each is answered, and once."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from broker.kernel.ids import AgentId, MessageId
from broker.messaging.message import Draft
from broker.messaging.queue import Accepted
from broker.messaging.receipts import Listing
from broker.messaging.ticket import TicketState
from broker.operations.processes import Role
from broker.wiring import Broker
from tests.conftest import MakeSettings
from tests.contract.websocket_server import Server, serving
from tests.process.pools import Pools, killed, pools_of, sweeping
from tests.waiting import until

ALICE, BOB = AgentId("alice"), AgentId("bob")
TICKETS = 60
SHARES = (TICKETS // 4, TICKETS // 2)
LEASE_SECONDS = 5
WITHIN = 60
CALL_SECONDS = 25
SERVER_ERROR = 500

Document = dict[str, Any]


@pytest.fixture
def pools(broker: Broker, settings: MakeSettings, tmp_path: Path) -> Iterator[Pools]:
    """Pools of this test's namespace, whose agents are registered."""
    for name in (ALICE, BOB):
        broker.agents.register(name, {})
    with pools_of(settings(), tmp_path) as pools:
        yield pools


@pytest.fixture
def web(broker: Broker, redis_url: str, jobs_redis_url: str, tmp_path: Path) -> Iterator[Server]:
    """A web server of this test's namespace."""
    directory = tmp_path / "web"
    directory.mkdir()
    namespace = broker.keys.namespace
    with serving(directory, redis_url, jobs_redis_url, WAYSTATION_NAMESPACE=namespace) as server:
        yield server


def call(web: Server, method: str, path: str, **options: Any) -> Document | None:
    """What the server answers; None while it is away."""
    url = f"http://127.0.0.1:{web.port}{path}"
    try:
        response = requests.request(method, url, timeout=CALL_SECONDS, **options)
    except requests.RequestException:
        return None
    if response.status_code >= SERVER_ERROR:
        return None
    found: Document = response.json()
    return found


def answer_all(web: Server, done: threading.Event) -> None:
    """Answer what bob is asked until all is done, trying again whenever an answer is lost."""
    held: list[Document] = []
    while not done.is_set():
        if not held:
            query = {"limit": 5, "wait_seconds": 1, "lease_seconds": LEASE_SECONDS}
            fetched = call(web, "GET", "/agents/bob/inbox", params=query)
            held = fetched["messages"] if fetched else []
        for question in list(held):
            reply = {
                "ticket_id": question["id"],
                "agent_id": BOB,
                "response": f"re {question['body']}",
                "lease_token": question["lease"]["token"],
            }
            if call(web, "POST", "/replies", json=reply) is not None:
                held.remove(question)
        if not held:
            done.wait(0.01)


def ask_many(broker: Broker) -> list[MessageId]:
    """Ask bob so much, at once."""
    drafts = [
        Draft(sender=ALICE, to=(BOB,), body=str(number), expects_reply=True)
        for number in range(TICKETS)
    ]
    results = broker.queue.send_many(drafts)
    return [one.id for one in results if isinstance(one, Accepted)]


def until_more_than(share: int, count: Callable[[], int]) -> None:
    """Wait until so many questions have been answered."""
    until(lambda: count() > share, within=WITHIN, what=f"{share} answers")


def responses(broker: Broker) -> list[str | None]:
    """What was sent in answer to anything, oldest first."""
    found, _ = broker.archive.find(Listing(sender=BOB), limit=1000)
    return [one.message.body for one in reversed(found)]


def test_every_question_is_answered_though_the_router_is_killed(
    broker: Broker, pools: Pools, web: Server
) -> None:
    router = pools.start(broker, Role.ROUTING)
    done = threading.Event()

    def ask(number: int) -> Document:
        path = "/agents/bob/send?wait_seconds=25"
        asked = call(web, "POST", path, json={"from": ALICE, "body": str(number)})
        assert asked is not None
        return asked["ticket"]  # type: ignore[no-any-return] # a document's

    with sweeping(broker), ThreadPoolExecutor(12) as pool:
        answering = [pool.submit(answer_all, web, done) for _ in range(2)]
        asking = [pool.submit(ask, number) for number in range(TICKETS)]
        for share in SHARES:
            until_more_than(share, lambda: sum(one.done() for one in asking))
            killed(router)
            router = pools.start(broker, Role.ROUTING)
        tickets = [one.result(WITHIN) for one in asking]
        done.set()
        for one in answering:
            one.result(WITHIN)

    assert {one["status"] for one in tickets} == {"responded"}
    assert [one["replies"][0]["response"] for one in tickets] == [
        f"re {number}" for number in range(TICKETS)
    ]
    assert {one["reply_count"] for one in tickets} == {1}


def test_every_question_is_answered_once_though_the_web_server_is_killed(
    broker: Broker, pools: Pools, web: Server
) -> None:
    pools.start(broker, Role.ROUTING)
    tickets = ask_many(broker)
    done = threading.Event()

    def count() -> int:
        return sum(broker.tickets.get(name).state is TicketState.RESPONDED for name in tickets)

    with sweeping(broker), ThreadPoolExecutor(3) as pool:
        answering = [pool.submit(answer_all, web, done) for _ in range(3)]
        for share in SHARES:
            until_more_than(share, count)
            web.kill()
            web.start()
        until(lambda: count() == TICKETS, within=WITHIN, what="all are answered")
        done.set()
        for one in answering:
            one.result(WITHIN)

    shown = [broker.tickets.get(name) for name in tickets]
    assert sorted(responses(broker), key=str) == sorted(f"re {n}" for n in range(TICKETS))
    assert [one.count for one in shown] == [1] * TICKETS
    assert broker.tickets.owed_by(BOB, limit=10) == ([], None)
