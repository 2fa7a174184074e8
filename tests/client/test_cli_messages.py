"""Sending, showing and finishing messages on the command line."""

import json
import threading
from pathlib import Path

import pytest

from tests.client.command_line import CommandLine, Ended
from tests.client.conftest import MakeName
from tests.process.stations import Station
from tests.waiting import until
from waystation import Agent

pytestmark = pytest.mark.client


@pytest.fixture
def bob(waystation: CommandLine, named: MakeName) -> str:
    """A registered agent."""
    assert waystation("agents", "register", named("bob")).exit_code == 0
    return named("bob")


@pytest.fixture
def alice(waystation: CommandLine, named: MakeName) -> str:
    """Another."""
    assert waystation("agents", "register", named("alice")).exit_code == 0
    return named("alice")


def test_what_is_said_of_a_message_arrives(waystation: CommandLine, bob: str, alice: str) -> None:
    sent = waystation(
        *("send", bob, "please review", "--as", alice),
        *("--subject", "PR 12", "--priority", "high", "--kind", "task", "--ttl", "2h"),
        *("--payload", '{"pr": 12}', "--meta", '{"cost": 1}', "--expects-reply"),
    )

    shown = waystation("show", sent.stdout.strip(), "--json").document["message"]

    assert (shown["from"], shown["to"], shown["body"]) == (alice, bob, "please review")
    assert (shown["subject"], shown["priority"], shown["kind"]) == ("PR 12", "high", "task")
    assert (shown["payload"], shown["meta"]) == ({"pr": 12}, {"cost": 1})
    assert shown["expects_reply"] is True


@pytest.mark.parametrize("words", [(), ("-",), ("--file", "-")])
def test_the_body_is_read_from_a_pipe(
    waystation: CommandLine, bob: str, alice: str, words: tuple[str, ...]
) -> None:
    sent = waystation("send", bob, *words, "--as", alice, stdin="two\nlines\n")

    shown = waystation("show", sent.stdout.strip(), "--json").document["message"]

    assert shown["body"] == "two\nlines"


def test_body_and_payload_are_read_from_files(
    waystation: CommandLine, bob: str, alice: str, tmp_path: Path
) -> None:
    (tmp_path / "body.md").write_text("# Grüße\n")
    (tmp_path / "data.json").write_text('["ü"]')

    sent = waystation(
        *("send", bob, "--as", alice, "--file", str(tmp_path / "body.md")),
        *("--payload", f"@{tmp_path / 'data.json'}"),
    )

    shown = waystation("show", sent.stdout.strip(), "--json").document["message"]
    assert (shown["body"], shown["payload"]) == ("# Grüße\n", ["ü"])


@pytest.mark.parametrize(
    ("words", "stdin", "exit_code", "says"),
    [
        (("text", "--file", "x"), None, 2, "not both"),
        (("--file", "/nowhere/x"), None, 2, "/nowhere/x can't be read"),
        (("-",), b"\xff\xfe", 8, "not text in UTF-8"),
        (("text", "--payload", "{oops"), None, 2, "not JSON"),
        (("text", "--delay", "soon"), None, 2, "not a duration"),
        (("text", "--at", "tomorrow"), None, 2, "not a time"),
        (("text", "--priority", "soon"), None, 8, "\n  priority: "),
    ],
)
def test_what_can_not_be_sent_is_refused(
    waystation: CommandLine,
    bob: str,
    *,
    words: tuple[str, ...],
    stdin: bytes | None,
    exit_code: int,
    says: str,
) -> None:
    refused = waystation("send", bob, *words, "--as", "alice", stdin=stdin)

    assert (refused.exit_code, refused.stdout) == (exit_code, "")
    assert says in refused.stderr


def test_several_are_named_with_commas_and_selectors_as_json(
    waystation: CommandLine, bob: str, alice: str
) -> None:
    both = waystation("send", f"{bob}, {alice}", "hello", "--as", "user")
    chosen = waystation("send", json.dumps({"any_of": [bob]}), "hello", "--as", "user")
    broken = waystation("send", "{any_of", "hello", "--as", "user")

    assert waystation("show", both.stdout.strip(), "--json").document["message"]["to"] == [
        bob,
        alice,
    ]
    shown = waystation("show", chosen.stdout.strip(), "--json").document["message"]
    assert shown["to"]["any_of"] == [bob]
    assert broken.exit_code == 2


def test_the_same_key_sends_once_and_another_text_under_it_is_a_conflict(
    waystation: CommandLine, bob: str, alice: str
) -> None:
    words = ("send", bob, "--as", alice, "--key", "42", "--json")

    first = waystation(*words, "hello")
    again = waystation(*words, "hello")
    other = waystation(*words, "goodbye")

    assert first.document["id"] == again.document["id"]
    assert (first.document["created"], again.document["created"]) == (True, False)
    assert (other.exit_code, other.problem["code"]) == (4, "idempotency_conflict")


def test_who_waits_learns_that_the_recipient_is_done(
    waystation: CommandLine, station: Station, bob: str, alice: str
) -> None:
    def finish() -> None:
        with Agent(bob, url=station.url, register=False) as agent:
            inbox = agent.station.messages.fetch(bob, wait_seconds=20)
            lease = inbox.messages[0].lease
            assert lease is not None
            agent.station.messages.ack(inbox.messages[0].id, agent_id=bob, lease_token=lease.token)

    recipient = threading.Thread(target=finish)
    recipient.start()
    sent = waystation("send", bob, "hello", "--as", alice, "--wait", "--json")
    recipient.join()

    assert sent.exit_code == 0
    assert [one["status"] for one in sent.document["receipts"]] == ["acknowledged"]


def test_who_waits_for_what_dies_is_told_so(waystation: CommandLine, bob: str, alice: str) -> None:
    expired = waystation("send", bob, "hello", "--as", alice, "--ttl", "1s", "--wait")

    assert expired.exit_code == 1
    assert "1 expired" in expired.stderr


def test_who_waits_for_so_long_at_most_is_told_when_that_is_over(
    waystation: CommandLine, bob: str, alice: str
) -> None:
    sent = waystation("send", bob, "hello", "--as", alice, "--wait-for", "200ms")

    assert sent.exit_code == 7
    assert sent.stdout.startswith("msg_")
    assert "waystation show msg_" in sent.stderr


def test_a_message_is_shown_with_its_receipts(
    waystation: CommandLine, bob: str, alice: str
) -> None:
    message_id = waystation("send", bob, "one\ntwo", "--as", alice).stdout.strip()

    def shown() -> dict[str, str] | None:
        lines = waystation("show", message_id).stdout.splitlines()
        fields = dict(line.split("\t", 1) for line in lines)
        return fields if fields.get(bob, "").startswith("queued\t0\t") else None

    fields = until(shown, within=10, what="a receipt that says queued")

    assert (fields["id"], fields["body"]) == (message_id, "one\\ntwo")


def test_messages_are_listed_page_by_page(waystation: CommandLine, bob: str, alice: str) -> None:
    ids = [waystation("send", bob, text, "--as", alice).stdout.strip() for text in "abc"]

    first = waystation("messages", "--from", alice, "--limit", "2")
    cursor = first.stderr.split()[-1]
    rest = waystation("messages", "--from", alice, "--cursor", cursor, "--json")
    none = waystation("messages", "--from", alice, "--until", "2001-01-01")

    assert [line.split("\t")[0] for line in first.stdout.splitlines()] == ids[:0:-1]
    assert [one["id"] for one in rest.document["messages"]] == ids[:1]
    assert (none.exit_code, none.stdout) == (0, "")


def test_what_nobody_holds_is_withdrawn_and_what_is_finished_is_not(
    waystation: CommandLine, bob: str, alice: str
) -> None:
    delayed = waystation("send", bob, "later", "--as", alice, "--delay", "1h").stdout.strip()
    finished = waystation("send", bob, "now", "--as", alice).stdout.strip()
    taken = waystation("inbox", "--as", bob, "--take", "--wait", "20s", "--json")

    withdrawn = waystation("cancel", delayed)
    refused = waystation("cancel", finished)

    assert taken.document["id"] == finished
    assert withdrawn.stdout.strip() == "cancelled"
    assert refused.exit_code == 4


def test_a_leased_message_is_acknowledged_once_and_then_over(
    waystation: CommandLine, station: Station, bob: str, alice: str
) -> None:
    waystation("send", bob, "hello", "--as", alice)
    with Agent(bob, url=station.url, register=False) as agent:
        held = agent.station.messages.fetch(bob, wait_seconds=20).messages[0]
    assert held.lease is not None

    stale = waystation("ack", held.id, "--as", bob, "--token", "1.x.1")
    done = waystation("ack", held.id, "--as", bob, "--token", held.lease.token)

    assert (stale.exit_code, done.stdout.strip()) == (4, "acknowledged")


def test_a_leased_message_is_given_back_for_good(
    waystation: CommandLine, station: Station, bob: str, alice: str
) -> None:
    waystation("send", bob, "hello", "--as", alice)
    with Agent(bob, url=station.url, register=False) as agent:
        held = agent.station.messages.fetch(bob, wait_seconds=20).messages[0]
    assert held.lease is not None

    rejected = waystation(
        *("nack", held.id, "--as", bob, "--token", held.lease.token),
        *("--permanent", "--reason", "no such branch"),
    )

    assert rejected.stdout.strip() == "dead"


def test_a_question_is_answered_and_done_with(
    waystation: CommandLine, bob: str, alice: str
) -> None:
    asked = waystation("send", bob, "ready?", "--as", alice, "--expects-reply").stdout.strip()

    def replied() -> Ended | None:
        ended = waystation("reply", asked, "yes", "--as", bob, "--json")
        return ended if ended.exit_code == 0 else None

    answer = until(replied, within=10, what="the question is in the inbox")
    shown = waystation("show", asked, "--json")

    assert answer.document["ticket_id"] == asked
    assert [one["status"] for one in shown.document["receipts"]] == ["replied"]


def test_what_asks_for_no_reply_is_answered_in_its_thread(
    waystation: CommandLine, bob: str, alice: str
) -> None:
    said = waystation("send", bob, "it is raining", "--as", alice, "--json").document
    answered = waystation("reply", said["id"], "--as", bob, "--payload", '{"really": true}')

    told = waystation("thread", said["thread_id"]).stdout.splitlines()

    assert [line.split("\t")[0] for line in told] == [said["id"], answered.stdout.strip()]
    assert told[1].endswith('\t{"really":true}')


def test_the_two_of_a_conversation_read_what_they_said(
    waystation: CommandLine, bob: str, alice: str
) -> None:
    sent = waystation("dms", "send", bob, "a minute?", "--as", alice).stdout.strip()

    def listed_as_unread() -> str | None:
        listed = waystation("dms", "list", "--as", bob).stdout
        return listed if "\t1\t" in listed else None

    listed = until(listed_as_unread, within=10, what="an unread message")
    read = waystation("dms", "history", alice, "--as", bob)

    assert listed.split("\t")[:3] == [alice, "1", sent]
    assert read.stdout.split("\t")[0] == sent


def test_a_channel_is_made_joined_posted_to_read_and_deleted(
    waystation: CommandLine, bob: str, alice: str, named: MakeName
) -> None:
    channel = named("release")
    waystation("channels", "create", channel, "--as", alice, "--topic", "what goes out")
    waystation("channels", "invite", channel, bob, "--as", alice)
    waystation("channels", "join", channel, "--as", "user")
    waystation("channels", "leave", channel, "--as", "user")

    posted = waystation("channels", "post", channel, "1.4 is out", "--as", alice)
    members = waystation("channels", "members", channel)
    listed = waystation("channels", "list", "--member", bob)
    changed = waystation("channels", "update", channel, "--topic", "", "--json")
    history = waystation("channels", "history", channel)
    removed = waystation("channels", "remove", channel, bob)
    deleted = waystation("channels", "delete", channel, stdin="y\n")
    gone = waystation("channels", "show", channel)

    assert sorted(members.stdout.split()) == sorted([alice, bob])
    assert listed.stdout.split("\t")[:3] == [channel, "what goes out", "2"]
    assert changed.document["topic"] is None
    assert history.stdout.split("\t")[0] == posted.stdout.strip()
    assert (removed.exit_code, deleted.exit_code, gone.exit_code) == (0, 0, 3)


def test_agents_are_listed_changed_shown_as_a_tree_and_deleted(
    waystation: CommandLine, named: MakeName
) -> None:
    lead, worker = named("lead"), named("worker")
    waystation("agents", "register", lead, "--tag", "a", "--tag", "b", "--label", named("boss"))
    waystation("agents", "register", worker, "--parent", lead, "--meta", '{"x": 1}', "--not-ready")

    listed = waystation("agents", "list", "--label", named("boss"))
    shown = waystation("agents", "show", worker, "--json")
    tree = waystation("agents", "tree")
    changed = waystation("agents", "update", lead, "--clear", "label", "--clear", "tags", "--json")
    unknown = waystation("agents", "update", lead, "--clear", "colour")
    kept = waystation("agents", "delete", worker, stdin="n\n")
    deleted = waystation("agents", "delete", worker, "--yes")
    gone = waystation("agents", "show", worker)

    assert listed.stdout.split("\t")[0] == lead
    assert "\ta, b\t" in listed.stdout
    assert (shown.document["meta"], shown.document["ready"]) == ({"x": 1}, False)
    assert f"{lead}  online\n  {worker}  online\n" in tree.stdout
    assert (changed.document["label"], changed.document["tags"]) == (None, [])
    assert (unknown.exit_code, kept.exit_code) == (2, 130)
    assert (deleted.exit_code, gone.exit_code) == (0, 3)


def test_what_has_happened_is_told_line_by_line(
    waystation: CommandLine, bob: str, alice: str
) -> None:
    sent = waystation("send", bob, "hello", "--as", alice).stdout.strip()

    told = until(
        lambda: (
            (lines := waystation("watch", "--past", "--message", sent).stdout.splitlines())[1:]
            and lines
        ),
        within=10,
        what="two events",
    )
    as_json = waystation("watch", "--past", "--message", sent, "--limit", "1", "--json")

    assert [line.split("\t")[1] for line in told] == ["message.accepted", "delivery.queued"]
    assert told[1].split("\t")[2:] == [sent, bob, ""]
    assert as_json.documents[0]["event"] == "message.accepted"
