"""The tools of the MCP server as a model uses them, at a real station."""

import asyncio
import json
import re
import subprocess
import sys

import pytest
from mcp import Client, MCPError
from mcp_types import PromptReference, TextResourceContents

from tests.client.conftest import MakeName
from tests.client.mcp_clients import call, refusal, served, taken
from tests.process.stations import Station
from waystation import AsyncAgent

pytestmark = pytest.mark.client


def test_a_model_sends_and_another_waits_and_replies(station: Station, named: MakeName) -> None:
    async def talk() -> None:
        alice, bob = named("alice"), named("bob")
        async with served(station, alice) as of_alice, served(station, bob) as of_bob:
            await call(of_bob, "bus_inbox")  # registers bob
            waiting = asyncio.create_task(call(of_bob, "bus_wait", {"max_seconds": 20}))
            await call(
                of_alice, "bus_send", {"to": bob, "body": "review PR 12", "priority": "high"}
            )
            received = await waiting
            message_id = received.split()[0]
            await call(of_bob, "bus_reply", {"id": message_id, "body": "done"})
            answer = await call(of_alice, "bus_wait", {"max_seconds": 20})

        assert f"from {alice}, priority high" in received
        assert "\nreview PR 12\n" in received
        assert f"from {bob}, response" in answer
        assert "\ndone\n" in answer

    asyncio.run(talk())


def test_what_is_acknowledged_is_finished_on_the_station(station: Station, named: MakeName) -> None:
    async def work() -> None:
        bob = named("bob")
        async with (
            AsyncAgent(named("alice"), url=station.url) as alice,
            served(station, bob) as of_bob,
        ):
            sent = await alice.send(bob, "hello", hold_for_unknown=True)
            ids = await taken(of_bob)
            await call(of_bob, "bus_ack", {"ids": ids})
            (receipt,) = await alice.station.messages.receipts(sent.id)

        assert ids == [sent.id]
        assert receipt.status == "acknowledged"

    asyncio.run(work())


def test_a_question_is_answered_while_its_asker_waits_and_shown_once(
    station: Station, named: MakeName
) -> None:
    async def talk() -> None:
        alice, bob = named("alice"), named("bob")
        async with (
            served(station, alice) as of_alice,
            AsyncAgent(bob, url=station.url) as replier,
        ):
            asking = asyncio.create_task(
                call(of_alice, "bus_ask", {"to": bob, "body": "ready?", "max_seconds": 30})
            )
            inbox = await replier.station.messages.fetch(bob, wait_seconds=20)
            await replier.station.tickets.reply(inbox.messages[0].id, "yes", agent_id=bob)
            answer = await asking
            again = await call(of_alice, "bus_wait", {"max_seconds": 1})

        assert f"answer of {bob}" in answer
        assert "\nyes\n" in answer
        assert again.startswith("Nothing came.")

    asyncio.run(talk())


def test_nobody_answers_and_the_model_goes_on(station: Station, named: MakeName) -> None:
    async def ask() -> None:
        bob = named("bob")
        async with (
            served(station, named("alice")) as of_alice,
            AsyncAgent(bob, url=station.url),
        ):
            answer = await call(
                of_alice, "bus_ask", {"to": bob, "body": "ready?", "max_seconds": 0.5}
            )

        assert answer.startswith("No answer to msg_")

    asyncio.run(ask())


def test_a_message_that_is_given_back_comes_again(station: Station, named: MakeName) -> None:
    async def work() -> None:
        bob = named("bob")
        async with (
            AsyncAgent(named("alice"), url=station.url) as alice,
            served(station, bob) as of_bob,
        ):
            await alice.send(bob, "hello", hold_for_unknown=True)
            (first,) = await taken(of_bob)
            await call(of_bob, "bus_nack", {"id": first, "reason": "busy", "delay_seconds": 0})
            again = await call(of_bob, "bus_wait", {"max_seconds": 20})
            refused = await refusal(of_bob, "bus_ack", {"ids": ["msg_unknown"]})

        assert again.startswith(first)
        assert "attempt 2" in again
        assert f"You hold {first}." in refused

    asyncio.run(work())


def test_a_long_body_is_cut_and_read_on(station: Station, named: MakeName) -> None:
    async def work() -> None:
        bob = named("bob")
        body = "".join(str(number % 10) for number in range(9000))
        async with (
            AsyncAgent(named("alice"), url=station.url) as alice,
            served(station, bob) as of_bob,
        ):
            sent = await alice.send(bob, body, hold_for_unknown=True)
            received = await call(of_bob, "bus_wait", {"max_seconds": 20})
            rest = await call(of_bob, "bus_read", {"id": sent.id, "offset": 2000})
            whole = await of_bob.read_resource(f"waystation://messages/{sent.id}/body")

        assert f"\n{body[:2000]}\n" in received
        assert f'bus_read(id="{sent.id}", offset=2000)' in received
        assert f"\n{body[2000:]}\n" in rest
        (content,) = whole.contents
        assert isinstance(content, TextResourceContents)
        assert content.text == body

    asyncio.run(work())


def test_nobody_speaks_in_the_name_of_another(station: Station, named: MakeName) -> None:
    async def work() -> None:
        async with served(station, named("alice")) as of_alice:
            tools = (await of_alice.list_tools()).tools
            refused = await refusal(
                of_alice,
                "bus_send",
                {"from": "boss", "token": "secret", "to": 5, "body": "hello"},
            )

        for tool in tools:
            assert not {"from", "sender", "agent_id", "token"} & set(
                tool.input_schema["properties"]
            )
        for field in ("from: ", "token: ", "to: "):
            assert field in refused

    asyncio.run(work())


def test_ten_tools_are_listed_and_cost_less_than_4000_tokens(
    station: Station, named: MakeName
) -> None:
    async def tools() -> str:
        async with served(station, named("alice")) as client:
            listed = (await client.list_tools()).tools
            assert len(listed) <= 10
            return json.dumps(
                [one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in listed]
            )

    # JSON of schemas is said to have about four characters a token; three is careful.
    tokens = len(asyncio.run(tools())) / 3

    assert tokens < 4000
    print(f"The listed tools cost about {tokens:.0f} tokens.")  # noqa: T201 - a figure


def test_a_group_of_tools_is_listed_on_request_and_callable_before(
    station: Station, named: MakeName
) -> None:
    async def work() -> None:
        changes: list[str] = []

        async def heard(message: object) -> None:
            changes.append(type(message).__name__)

        channel = named("release")
        async with served(station, named("alice"), mode="legacy", message_handler=heard) as client:
            groups = await call(client, "bus_more")
            made = await call(
                client, "bus_more", {"call": "bus_create_channel", "arguments": {"id": channel}}
            )
            described = await call(client, "bus_more", {"group": "channels"})
            names = [tool.name for tool in (await client.list_tools()).tools]
            mine = await call(client, "bus_list_channels", {"mine": True})

        assert "dead_letters: bus_get_dead_letters, " in groups
        assert made == f"channel:{channel} is there"
        assert "bus_join_channel" in described
        assert "bus_join_channel" in names
        assert mine.startswith(channel)
        assert "ToolListChangedNotification" in changes

    asyncio.run(work())


def test_prompts_say_how_to_work_with_the_bus_and_agents_are_completed(
    station: Station, named: MakeName
) -> None:
    async def work() -> None:
        bob = named("bob-the-reviewer")
        async with (
            AsyncAgent(bob, url=station.url),
            served(station, named("alice")) as client,
        ):
            prompts = (await client.list_prompts()).prompts
            delegated = await client.get_prompt("delegate", {"agent": bob, "task": "{review}"})
            completed = await client.complete(
                PromptReference(type="ref/prompt", name="delegate"),
                {"name": "agent", "value": bob[:-1]},
            )
            with pytest.raises(MCPError, match="delegate needs agent and task"):
                await client.get_prompt("delegate")
            with pytest.raises(MCPError, match="There is no prompt"):
                await client.get_prompt("unknown")

        assert {prompt.name for prompt in prompts} == {"handle_inbox", "delegate", "hand_over"}
        assert all(prompt.description for prompt in prompts)
        assert f"the agent {bob} through Waystation: {{review}}" in str(delegated.messages[0])
        assert completed.completion.values == [bob]

    asyncio.run(work())


def test_resources_are_read_by_address(station: Station, named: MakeName) -> None:
    async def read(client: Client, uri: str) -> str:
        (content,) = (await client.read_resource(uri)).contents
        assert isinstance(content, TextResourceContents)
        return content.text

    async def work() -> None:
        alice = named("alice")
        async with served(station, alice) as client:
            sent = await call(client, "bus_send", {"to": alice, "body": "a note"})
            message_id, thread_id = re.findall(r"(?:sent|thread) ([^, ]+)", sent)
            message = await read(client, f"waystation://messages/{message_id}")
            thread = await read(client, f"waystation://threads/{thread_id}")
            agents = await read(client, "waystation://agents")
            templates = (await client.list_resource_templates()).resource_templates
            for missing in ("messages/msg_unknown", "nothing", "messages"):
                with pytest.raises(MCPError):
                    await client.read_resource(f"waystation://{missing}")

        assert message.startswith(f"{message_id} from {alice}")
        assert "\na note\n" in thread
        assert f"{alice}, online" in agents
        assert "waystation://messages/{id}/body" in {one.uri_template for one in templates}

    asyncio.run(work())


def test_without_the_extra_the_command_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['mcp'] = None;"
        "from waystation.cli import main; main(['mcp', '--agent', 'alice'])"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )

    assert ended.returncode == 1
    assert "The MCP server needs mcp, which is not installed." in ended.stderr
    assert "pip install 'waystation[mcp]'" in ended.stderr
