"""The MCP server over streamable HTTP: who is let in, and who shares the agent."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2
import pytest
import requests
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.client.conftest import MakeName
from tests.client.mcp_clients import call
from tests.process.stations import Station

pytestmark = pytest.mark.client

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
HEADERS = {"Accept": "application/json, text/event-stream"}


@dataclass(frozen=True)
class Endpoint:
    """A running server, and where it listens."""

    process: subprocess.Popen[str]
    url: str


@contextmanager
def listening(
    station: Station, agent: str, *options: str, address: str = "0", **environ: str
) -> Iterator[Endpoint]:
    """A server over HTTP."""
    command = [sys.executable, "-m", "waystation", "mcp", "--agent", agent, "--url", station.url]
    with subprocess.Popen(
        [*command, "--http", address, *options],
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ) | environ,
    ) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            found = re.search(r"listens on (\S+)", line)
            assert found, line + process.stderr.read()
            yield Endpoint(process, found[1])
        finally:
            process.send_signal(signal.SIGTERM)
            process.stderr.read()


def test_several_clients_are_the_same_agent(station: Station, named: MakeName) -> None:
    async def talk(url: str) -> None:
        async with Client(url) as one, Client(url) as other:
            await call(one, "bus_send", {"to": named("alice"), "body": "note to myself"})
            received = await call(one, "bus_wait", {"max_seconds": 20})
            held = await call(other, "bus_inbox")
            await call(other, "bus_ack", {"ids": [received.split()[0]]})

        assert "\nnote to myself\n" in received
        assert f"You hold:\n- {received.split()[0]}" in held

    with listening(station, named("alice")) as endpoint:
        asyncio.run(talk(endpoint.url))


@pytest.mark.parametrize("header", ["Host", "Origin"])
def test_a_page_of_another_site_is_not_let_in(
    station: Station, named: MakeName, header: str
) -> None:
    with listening(station, named("alice")) as endpoint:
        foreign = requests.post(
            endpoint.url, json=HELLO, headers=HEADERS | {header: "http://evil.example"}, timeout=10
        )
        own = requests.post(endpoint.url, json=HELLO, headers=HEADERS, timeout=10)

    assert foreign.status_code in (403, 421)
    assert own.status_code == 200


def test_beyond_loopback_a_token_is_asked_for(station: Station, named: MakeName) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "waystation", "mcp", "--agent", "alice", "--http", "0.0.0.0:0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert refused.returncode != 0
    assert "WAYSTATION_MCP_TOKEN" in refused.stderr
    assert "Traceback" not in refused.stderr

    async def talk(url: str) -> None:
        known = httpx2.AsyncClient(headers={"Authorization": "Bearer of-tests"})
        async with known, Client(streamable_http_client(url, http_client=known)) as client:
            await call(client, "bus_inbox")

    with listening(
        station, named("alice"), address="0.0.0.0:0", WAYSTATION_MCP_TOKEN="of-tests"
    ) as endpoint:
        url = endpoint.url.replace("0.0.0.0", "127.0.0.1")
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            answer = requests.post(url, json=HELLO, headers=HEADERS | headers, timeout=10)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        asyncio.run(talk(url))


def test_sigterm_gives_back_what_the_model_held(station: Station, named: MakeName) -> None:
    alice = named("alice")

    async def take(url: str) -> str:
        async with Client(url) as client:
            await call(client, "bus_send", {"to": alice, "body": "unfinished"})
            return await call(client, "bus_wait", {"max_seconds": 20})

    with listening(station, alice) as endpoint:
        taken = asyncio.run(take(endpoint.url))
    inbox = requests.get(
        f"{station.url}/api/v1/agents/{alice}/inbox", params={"wait_seconds": 10}, timeout=20
    ).json()

    assert [one["id"] for one in inbox["messages"]] == [taken.split()[0]]
    assert inbox["messages"][0]["attempt"] == 1
