"""Whose key it is decides who one is, whichever way one talks to the station."""

from collections.abc import Iterator

import pytest

from tests.contract.access_scene import issue
from tests.contract.all_faces import FACES, each_face
from tests.contract.faces import Face, Refused
from tests.contract.websocket_server import Server, register

pytestmark = pytest.mark.contract


@pytest.fixture
def alice(guarded_server: Server, namespace: str) -> str:
    return register(guarded_server, f"alice-{namespace}")


@pytest.fixture
def bob(guarded_server: Server, namespace: str) -> str:
    return register(guarded_server, f"bob-{namespace}")


@pytest.fixture
def carol(guarded_server: Server, namespace: str) -> str:
    """An agent whose key nobody here has."""
    return register(guarded_server, f"carol-{namespace}")


@pytest.fixture(params=FACES)
def known_face(
    guarded_server: Server, alice: str, bob: str, request: pytest.FixtureRequest
) -> Iterator[Face]:
    """Each face in turn, used by who has a key for alice and bob."""
    token = issue(guarded_server.broker, f"agent:{alice}", f"agent:{bob}").token
    yield from each_face(guarded_server, request.param, Authorization=f"Bearer {token}")


@pytest.fixture(params=FACES)
def unknown_face(guarded_server: Server, request: pytest.FixtureRequest) -> Iterator[Face]:
    """Each face in turn, used by nobody in particular."""
    yield from each_face(guarded_server, request.param)


def test_who_has_its_key_sends_and_receives_as_an_agent(
    known_face: Face, alice: str, bob: str
) -> None:
    sent = known_face.send(alice, bob, "please review PR 12")
    (message,) = known_face.fetch(bob)

    assert (message["id"], message["from"]) == (sent["id"], alice)
    assert known_face.ack(bob, message)["status"] == "acknowledged"


def test_without_its_key_nobody_sends_or_receives_as_an_agent(
    known_face: Face, alice: str, carol: str
) -> None:
    known_face.send(alice, carol, "for carol alone")

    for speak in (
        lambda: known_face.send(carol, alice),
        lambda: known_face.fetch(carol),
        lambda: known_face.send("system", alice),
    ):
        with pytest.raises(Refused) as refused:
            speak()
        assert (refused.value.status, refused.value.code) == (403, "forbidden")
    assert known_face.nothing_for(alice)


def test_nobody_in_particular_is_nobody(unknown_face: Face, alice: str, bob: str) -> None:
    for speak in (lambda: unknown_face.send(alice, bob), lambda: unknown_face.fetch(bob)):
        with pytest.raises(Refused) as refused:
            speak()
        assert (refused.value.status, refused.value.code) == (401, "unauthenticated")
