"""Taking messages on the command line, asking and answering."""

import json
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.client.command_line import WAYSTATION, CommandLine, Ended
from tests.client.conftest import MakeName
from tests.process.stations import Station
from tests.waiting import until
from waystation import Station as Client

pytestmark = pytest.mark.client


@pytest.fixture
def bob(waystation: CommandLine, named: MakeName) -> str:
    """A registered agent."""
    assert waystation("agents", "register", named("bob")).exit_code == 0
    return named("bob")


def send(waystation: CommandLine, to: str, body: str, *words: str) -> str:
    """Send a message, and return its id once it is in the inbox."""
    sent = waystation("send", to, body, "--as", "user", *words)
    assert sent.exit_code == 0, sent.stderr
    message_id = sent.stdout.strip()
    until(
        lambda: "queued" in waystation("show", message_id).stdout or None,
        within=10,
        what=f"{message_id} is in the inbox",
    )
    return message_id


def status_of(waystation: CommandLine, message_id: str) -> str:
    """Where the message stands with its one recipient."""
    receipts = waystation("show", message_id, "--json").document["receipts"]
    return str(receipts[0]["status"])


def test_what_waits_is_listed_and_stays(waystation: CommandLine, bob: str) -> None:
    ids = [send(waystation, bob, text) for text in ("one", "two\tlines\nlong")]

    listed = waystation("inbox", "--as", bob)
    as_json = waystation("inbox", "--as", bob, "--json", "--limit", "1")

    assert [line.split("\t")[0] for line in listed.stdout.splitlines()] == ids
    assert listed.stdout.splitlines()[1].endswith("\ttwo\\tlines\\nlong")
    assert [one["id"] for one in as_json.document["messages"]] == ids[:1]
    assert [status_of(waystation, one) for one in ids] == ["queued", "queued"]


def test_who_has_no_inbox_is_told_how_to_get_one(waystation: CommandLine, named: MakeName) -> None:
    refused = waystation("inbox", "--as", named("stranger"))

    assert refused.exit_code == 3
    assert f"waystation agents register {named('stranger')}" in refused.stderr


@pytest.mark.parametrize("words", [(), ("--take",), ("--follow",), ("--take", "--no-ack")])
def test_where_no_station_is_nobody_waits_for_ever(words: tuple[str, ...]) -> None:
    waystation = CommandLine(url="http://127.0.0.1:9")

    refused = waystation("inbox", "--as", "bob", "--timeout", "0", *words)

    assert (refused.exit_code, refused.stdout) == (6, "")


def test_what_is_taken_is_printed_and_acknowledged(waystation: CommandLine, bob: str) -> None:
    ids = [send(waystation, bob, text) for text in ("one", "two", "three")]

    first = waystation("inbox", "--as", bob, "--take", "--json")
    rest = waystation("inbox", "--as", bob, "--take", "5")
    nothing = waystation("inbox", "--as", bob, "--take", "--wait", "50ms")

    assert (first.document["id"], first.document["body"]) == (ids[0], "one")
    assert [line.split("\t")[0] for line in rest.stdout.splitlines()] == ids[1:]
    assert {status_of(waystation, one) for one in ids} == {"acknowledged"}
    assert (nothing.exit_code, nothing.stdout) == (7, "")


def test_what_is_taken_without_acknowledgement_is_finished_by_its_token(
    waystation: CommandLine, bob: str
) -> None:
    message_id = send(waystation, bob, "one")

    taken = waystation("inbox", "--as", bob, "--take", "--no-ack", "--lease", "30s", "--json")
    held = status_of(waystation, message_id)
    token = taken.document["lease"]["token"]
    acked = waystation("ack", message_id, "--as", bob, "--token", token)

    assert held == "leased"
    assert acked.stdout.strip() == "acknowledged"


def test_a_command_gets_the_text_and_the_fields_and_its_success_acknowledges(
    waystation: CommandLine, bob: str, tmp_path: Path
) -> None:
    ids = [
        send(waystation, bob, text, "--subject", "$(touch oops); PR")
        for text in ("x" * 200_000, "two")
    ]
    out = tmp_path / "out"

    ended = waystation(
        *("inbox", "--as", bob, "--exec"),
        f'wc -c >> {out}; echo "$WAYSTATION_MESSAGE_ID $WAYSTATION_MESSAGE_FROM'
        f' $WAYSTATION_MESSAGE_SUBJECT $WAYSTATION_AGENT" >> {out}',
    )

    assert ended.exit_code == 0
    assert out.read_text().split("\n")[:-1] == [
        "200000",
        f"{ids[0]} user $(touch oops); PR {bob}",
        "3",
        f"{ids[1]} user $(touch oops); PR {bob}",
    ]
    assert {status_of(waystation, one) for one in ids} == {"acknowledged"}


def test_a_command_gets_data_as_json_where_there_is_no_text(
    waystation: CommandLine, bob: str, tmp_path: Path
) -> None:
    data = ["two\nlines", {"path": "C:\\temp"}]
    waystation("send", bob, "--as", "user", "--payload", json.dumps(data))
    waystation("send", bob, "text", "--as", "user", "--payload", "7")
    words = ("inbox", "--as", bob, "--take", "--wait", "20s", "--exec", f"cat > {tmp_path}/got")

    waystation(*words)
    text = (tmp_path / "got").read_text()
    waystation(*words, "--json")
    message = json.loads((tmp_path / "got").read_text())

    assert json.loads(text) == data
    assert (message["body"], message["payload"], message["from"]) == ("text", 7, "user")


@pytest.mark.parametrize(
    ("command", "status"),
    [("exit 3", "waiting"), ("exit 75", "waiting"), ("exit 65", "dead"), ("kill -9 $$", "waiting")],
)
def test_a_command_that_fails_gives_the_message_back(
    waystation: CommandLine, bob: str, command: str, status: str
) -> None:
    message_id = send(waystation, bob, "work")

    ended = waystation("inbox", "--as", bob, "--exec", command)

    assert ended.exit_code == 1
    assert status_of(waystation, message_id) == status


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("echo no >&2; echo because >&2; exit 3", "because"),
        ("exit 75", "The command ended with 75."),
        ("kill -9 $$", "The command was ended by signal 9."),
    ],
)
def test_the_last_line_that_a_command_complains_is_the_reason(
    waystation: CommandLine, station: Station, bob: str, *, command: str, reason: str
) -> None:
    send(waystation, bob, "work", "--max-attempts", "1")

    waystation("inbox", "--as", bob, "--exec", command)

    with Client(station.url) as client:
        letters = client.dead_letters.list(agent=bob).dead_letters
    assert [letter.last_error for letter in letters] == [reason]


def test_a_command_that_ignores_the_text_is_no_failure(waystation: CommandLine, bob: str) -> None:
    message_id = send(waystation, bob, "x" * 250_000)

    ended = waystation("inbox", "--as", bob, "--exec", "exec true")

    assert ended.exit_code == 0
    assert status_of(waystation, message_id) == "acknowledged"


def test_what_a_command_prints_is_the_answer(
    waystation: CommandLine, bob: str, named: MakeName
) -> None:
    waystation("agents", "register", named("alice"))
    answered: list[Ended] = []

    asking = threading.Thread(
        target=lambda: answered.append(
            waystation.process("ask", bob, "ping", "--as", named("alice"), "--timeout", "60s")
        )
    )
    asking.start()
    ended = waystation(
        *("inbox", "--as", bob, "--take", "--wait", "60s"),
        *("--exec", "tr a-z A-Z", "--reply"),
    )
    asking.join()

    assert ended.exit_code == 0
    assert (answered[0].exit_code, answered[0].stdout) == (0, "PING\n")


def test_an_answer_that_is_refused_gives_the_question_back_and_the_rest_goes_on(
    waystation: CommandLine, bob: str
) -> None:
    asked = send(waystation, bob, "well?", "--expects-reply")
    said = send(waystation, bob, "hello")

    ended = waystation("inbox", "--as", bob, "--exec", "true", "--reply")

    assert ended.exit_code == 1
    assert "the answer was refused" in ended.stderr
    assert (status_of(waystation, asked), status_of(waystation, said)) == (
        "waiting",
        "acknowledged",
    )


def test_what_a_command_gives_back_itself_is_left_at_that_and_the_rest_goes_on(
    waystation: CommandLine, bob: str
) -> None:
    ids = [send(waystation, bob, text) for text in ("not now", "hello")]
    nack = (
        f'grep -q hello || {WAYSTATION} --url {waystation.url} nack "$WAYSTATION_MESSAGE_ID"'
        ' --token "$WAYSTATION_MESSAGE_LEASE_TOKEN" --delay 1h'
    )

    ended = waystation("inbox", "--as", bob, "--exec", nack)

    assert ended.exit_code == 1
    assert [status_of(waystation, one) for one in ids] == ["waiting", "acknowledged"]


def test_a_question_that_nobody_answers_in_time_is_over(waystation: CommandLine, bob: str) -> None:
    asked = waystation("ask", bob, "anybody?", "--as", "user", "--timeout", "1s")
    as_json = waystation("ask", bob, "anybody?", "--as", "user", "--timeout", "1", "--json")

    assert (asked.exit_code, asked.stdout) == (7, "")
    assert "waystation inbox --as user" in asked.stderr
    assert as_json.problem["code"] == "timeout"


def test_an_interruption_ends_the_command_and_gives_its_message_back(
    waystation: CommandLine, bob: str, tmp_path: Path
) -> None:
    message_id = send(waystation, bob, "long work")
    begun = tmp_path / "begun"

    with waystation.start(
        "inbox", "--as", bob, "--follow", "--exec", f"touch {begun}; sleep 60; true"
    ) as process:
        until(begun.exists, within=30, what="the command runs")
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=30)

    assert (process.returncode, stdout) == (130, "")
    assert time.monotonic() - started < 30
    assert status_of(waystation, message_id) == "queued"


def test_an_inbox_is_followed_until_it_is_told_to_end(waystation: CommandLine, bob: str) -> None:
    with waystation.start("inbox", "--as", bob, "--follow", "--json") as process:
        ids = [send_only(waystation, bob, text) for text in ("one", "two")]
        assert process.stdout is not None
        seen = [process.stdout.readline() for _ in ids]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)

    assert all(one in line for one, line in zip(ids, seen, strict=True))
    assert process.returncode == 0
    assert [status_of(waystation, one) for one in ids] == ["acknowledged", "acknowledged"]


def send_only(waystation: CommandLine, to: str, body: str) -> str:
    """Send a message, wherever it stands then."""
    return waystation("send", to, body, "--as", "user").stdout.strip()
