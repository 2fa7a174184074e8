"""A station that goes away and comes back under clients that are at work."""

import threading
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.process.stations import running
from tests.waiting import until
from waystation import Agent, Message
from waystation.transport import Retrying

pytestmark = pytest.mark.client


def test_loops_outlive_a_station_that_is_killed_and_restarted(tmp_path: Path) -> None:
    seen: dict[str, list[str | None]] = {"inbox": [], "stream": []}
    with ExitStack() as stack:

        def work(loop: str) -> None:
            with Agent(loop, url=station.url) as agent:
                messages: Iterable[Message] = getattr(agent, loop)(limit=3)
                seen[loop].extend(message.body for message in messages)

        def all_have(count: int) -> bool:
            return all(len(bodies) == count for bodies in seen.values())

        with running(tmp_path / "station") as station:
            alice = stack.enter_context(
                Agent("alice", url=station.url, retrying=Retrying(seconds=120))
            )
            to: Any = {"to": list(seen), "hold_for_unknown": True}
            working = [threading.Thread(target=work, args=[loop]) for loop in seen]
            for one in working:
                one.start()
            alice.send(**to, body="before")
            until(lambda: all_have(1), within=20, what="the first is there")
            # What is killed of a station, the station starts again.
            for process in station.find_all("app.factory:create_app()"):
                process.kill()
            alice.send(**to, body="after a crash")
            until(lambda: all_have(2), within=40, what="the second is there")
        sending = threading.Thread(target=alice.send, kwargs=to | {"body": "while it was away"})
        sending.start()
        with running(tmp_path / "station", port=station.port):
            for one in (*working, sending):
                one.join(60)

            bodies = ["before", "after a crash", "while it was away"]
            assert seen == {"inbox": bodies, "stream": bodies}
