"""The same key opens every face, for the same agents, and closes all of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import websocket

from broker.security.api_keys import Issued, NewKey
from tests.contract.faces import Http, Refused, WebSocket
from tests.contract.websocket_server import DEADLINE_SECONDS, Closed, Server, serving
from tests.waiting import until

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def guarded_server(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str, jobs_redis_url: str
) -> Iterator[Server]:
    """A web server that asks everybody for a token."""
    with serving(
        tmp_path_factory.mktemp("web"),
        redis_url,
        jobs_redis_url,
        WAYSTATION_NAMESPACE="identity-of-faces",
        WAYSTATION_AUTH="required",
    ) as running:
        yield running


@pytest.fixture(params=[Http, WebSocket])
def kind(request: pytest.FixtureRequest) -> type[Http]:
    """Each face in turn."""
    found: type[Http] = request.param
    return found


def issue(server: Server, *agents: str) -> Issued:
    wanted = NewKey(name="of a test", scopes=tuple(f"agent:{agent}" for agent in agents))
    return server.broker.identity.keys.create(wanted, created_by="test")


OpenFace = Callable[[type[Http], Issued], Http]


@pytest.fixture
def open_face(guarded_server: Server) -> Iterator[OpenFace]:
    """Open a face with a key; no connection of it is left."""
    with ExitStack() as stack:

        def opened(kind: type[Http], issued: Issued) -> Http:
            face = kind(guarded_server, Authorization=f"Bearer {issued.token}")
            if isinstance(face, WebSocket):
                stack.callback(face.close)
            return face

        yield opened


def test_a_key_opens_every_face_for_its_agents(
    guarded_server: Server, open_face: OpenFace, kind: type[Http], namespace: str
) -> None:
    alice, bob = f"alice-{namespace}", f"bob-{namespace}"
    face = open_face(kind, issue(guarded_server, alice, bob))
    face.register(alice)
    face.register(bob)

    sent = face.send(alice, bob, "please review PR 12")
    (message,) = face.fetch(bob)

    assert message["id"] == sent["id"]
    assert face.ack(bob, message)["status"] == "acknowledged"


def test_a_key_opens_no_face_for_another_agent(
    guarded_server: Server, open_face: OpenFace, kind: type[Http], namespace: str
) -> None:
    alice, bob = f"alice-{namespace}", f"bob-{namespace}"
    both = open_face(Http, issue(guarded_server, alice, bob))
    both.register(alice)
    both.register(bob)
    only_alice = open_face(kind, issue(guarded_server, alice))

    with pytest.raises((Refused, websocket.WebSocketBadStatusException)) as refused:
        only_alice.send(bob, alice, "as bob")

    assert 403 in (getattr(refused.value, "status", 0), getattr(refused.value, "status_code", 0))
    assert both.nothing_for(alice)


def test_a_revoked_key_closes_every_face(
    guarded_server: Server, open_face: OpenFace, kind: type[Http], namespace: str
) -> None:
    alice = f"alice-{namespace}"
    issued = issue(guarded_server, alice)
    face = open_face(kind, issued)
    face.register(alice)
    face.send(alice, alice)

    guarded_server.broker.identity.keys.revoke(issued.key.id)

    def is_refused() -> bool:
        try:
            face.send(alice, alice)
        except Refused as refused:
            return refused.status == 401
        except Closed as closed:
            return closed.code == 4401
        return False

    until(is_refused, within=DEADLINE_SECONDS, what="the key opens nothing any more")
