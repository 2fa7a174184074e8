"""Every operation of the OpenAPI document is one method of the client, with all that it takes.

Each method is called with a value for every parameter that its signature has. What it would say to
the station is compared with what the document describes.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yarl

from waystation.blocking import Blocking, blocking
from waystation.configuration import Configuration
from waystation.resources.resource import AsyncResource
from waystation.station import AsyncStation, Station
from waystation.transport import Call, Transport
from waystation.watching import AsyncWatch

pytestmark = pytest.mark.contract

OWN = ("me", "alive")
"""What a station answers without a resource between."""


class Said(Exception):  # noqa: N818 - ends a call as soon as it is known
    """What would have been sent."""

    def __init__(self, call: Call) -> None:
        self.call = call


class Recorder(Transport):
    """Tells of a call instead of making it."""

    def url(self, call: Call) -> yarl.URL:
        raise Said(call)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What the document says of an operation."""

    id: str
    method: str
    path: re.Pattern[str]
    query: frozenset[str]
    body: frozenset[str]


def value_for(name: str) -> object:
    """Something for a parameter; what is listed has to be a list."""
    return [{"name": name}] if name == "drafts" else f"the-{name}"


def options_of(method: Callable[..., Any]) -> Iterator[str]:
    """The names behind `**options`."""
    for one in inspect.signature(method).parameters.values():
        if one.kind is one.VAR_KEYWORD:
            name = one.annotation.removeprefix("Unpack[").removesuffix("]")
            yield from inspect.unwrap(method).__globals__[name].__annotations__


async def said_by(method: Callable[..., Any]) -> Call:
    """Call a method with everything that it takes."""
    parameters = inspect.signature(method).parameters.values()
    named = {one.name: value_for(one.name) for one in parameters if one.kind is not one.VAR_KEYWORD}
    options = {name: value_for(name) for name in options_of(method)}
    try:
        answer = method(**named, **options)
        await (answer.next() if isinstance(answer, AsyncWatch) else answer)
    except Said as said:
        return said.call
    raise AssertionError(f"{method} asked the station for nothing")


def public(kind: type) -> dict[str, Callable[..., Any]]:
    """The methods that a class has for callers."""
    return {
        name: method
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


async def methods() -> AsyncIterator[tuple[str, Call]]:
    """Each method of the client that asks the station, and what it says."""
    station = AsyncStation(configuration=Configuration())
    recorder = Recorder(station.configuration)
    station.transport = recorder
    for name in OWN:
        yield name, await said_by(getattr(station, name))
    for attribute, resource in vars(station).items():
        if isinstance(resource, AsyncResource):
            twin = type(resource)(recorder)
            for name in public(type(resource)):
                yield f"{attribute}.{name}", await said_by(getattr(twin, name))


@pytest.fixture(scope="module")
def operations() -> list[Operation]:
    """What the station can be asked for."""
    command = [sys.executable, "-m", "app.openapi_document"]
    document = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    schemas = document["components"]["schemas"]

    def fields(operation: dict[str, Any]) -> frozenset[str]:
        if "requestBody" not in operation:
            return frozenset()
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        name = schema.get("$ref", "").rpartition("/")[2]
        return frozenset(schemas.get(name, schema).get("properties", ()))

    return [
        Operation(
            id=operation["operationId"],
            method=method.upper(),
            path=re.compile(re.sub(r"\\{\w+\\}", "the-[^/]+", re.escape(path)) + "$"),
            query=frozenset(
                one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"
            ),
            body=fields(operation),
        )
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method != "parameters"
    ]


@pytest.fixture(scope="module")
def calls() -> dict[str, Call]:
    """What each method of the client says to the station."""

    async def collect() -> dict[str, Call]:
        return {name: call async for name, call in methods()}

    return asyncio.run(collect())


def asked_for(call: Call, operations: list[Operation]) -> Operation:
    """The operation that a call is for."""
    fitting = [
        one
        for one in operations
        if one.method == call.method and one.path.match(call.prefix + call.path)
    ]
    assert len(fitting) == 1, (call, fitting)
    return fitting[0]


def test_every_operation_is_one_method_of_the_client(
    operations: list[Operation], calls: dict[str, Call]
) -> None:
    counted = Counter(asked_for(call, operations).id for call in calls.values())

    assert counted == dict.fromkeys([one.id for one in operations], 1)


def test_every_method_takes_all_that_its_operation_takes(
    operations: list[Operation], calls: dict[str, Call]
) -> None:
    for name, call in calls.items():
        operation = asked_for(call, operations)
        body = call.body if isinstance(call.body, dict) else {}

        assert set(call.query) == set(operation.query), name
        assert set(body) == set(operation.body), name


def test_a_call_that_waits_at_the_station_is_waited_for(
    operations: list[Operation], calls: dict[str, Call]
) -> None:
    waiting = {
        name
        for name, call in calls.items()
        if asked_for(call, operations).query & {"wait_seconds", "timeout_seconds"}
    }

    assert waiting == {"messages.fetch", "tickets.ask", "tickets.wait"}
    assert all(calls[name].wait_seconds for name in waiting)


def test_every_resource_has_a_blocking_twin_with_every_method() -> None:
    station = Station(configuration=Configuration())
    resources = {
        name: type(one)
        for name, one in vars(AsyncStation(configuration=Configuration())).items()
        if isinstance(one, AsyncResource)
    }

    for name, kind in resources.items():
        twin = type(getattr(station, name))

        assert issubclass(twin, Blocking)
        for method in public(kind):
            own = inspect.getattr_static(twin, method)
            assert isinstance(own, blocking) or inspect.isfunction(own), (name, method)
