"""The application over a real broker; a test routes when it says so."""

import dataclasses
import itertools
import json
import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.context import AppContext
from app.factory import create_app
from broker.wiring import Broker, build_broker
from config.settings import Settings, load_settings
from tests.conftest import MakeBroker, MakeSettings
from tests.contract.access_scene import MakeScene, Scene
from tests.contract.all_faces import FACES, each_face
from tests.contract.faces import Face
from tests.contract.websocket_server import Server, serving
from tests.redis.stage import Stage


@dataclasses.dataclass(frozen=True, kw_only=True)
class Api:
    """The endpoints as a caller has them, and the routing that workers would do."""

    client: FlaskClient
    broker: Broker

    def call(self, method: str, path: str, **options: Any) -> TestResponse:
        if "json" in options:  # Flask's client would sort the members
            options |= {"data": json.dumps(options.pop("json")), "content_type": "application/json"}
        return self.client.open(f"/api/v1{path}", method=method, **options)

    def get(self, path: str, **query: Any) -> TestResponse:
        return self.call("GET", path, **({"query_string": query} if query else {}))

    def post(self, path: str, document: object = None, **options: Any) -> TestResponse:
        body = {} if document is None else {"json": document}
        return self.call("POST", path, **body, **options)

    def register(self, *agents: str) -> None:
        for agent in agents:
            assert self.post("/agents/register", {"id": agent}).status_code == 201

    def send(self, **fields: Any) -> str:
        """Send a message that is routed at once; its id."""
        response = self.post("/messages", {"from": "alice", "to": "bob", "body": "hi"} | fields)
        assert response.status_code == 202, response.json
        self.broker.router.drain()
        return str(response.get_json()["id"])

    def fetch(self, agent: str = "bob", **query: Any) -> list[dict[str, Any]]:
        response = self.get(f"/agents/{agent}/inbox", **query)
        assert response.status_code == 200, response.json
        found: list[dict[str, Any]] = response.get_json()["messages"]
        return found

    def fetch_one(self, agent: str = "bob") -> tuple[str, dict[str, str]]:
        """Lease the first message: its id, and what finishing it takes."""
        message = self.fetch(agent, limit=1)[0]
        return message["id"], {"agent_id": agent, "lease_token": message["lease"]["token"]}


@pytest.fixture
def application(settings: MakeSettings, broker: Broker) -> APIFlask:
    return create_app(settings(), broker)


@pytest.fixture
def api(application: APIFlask, broker: Broker) -> Api:
    """The application with alice and bob registered."""
    api = Api(client=application.test_client(), broker=broker)
    api.register("alice", "bob")
    return api


@pytest.fixture(scope="session")
def open_server(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str, jobs_redis_url: str
) -> Iterator[Server]:
    """A web server that asks nobody for a token; its tests name their agents by `namespace`."""
    with serving(
        tmp_path_factory.mktemp("web"), redis_url, jobs_redis_url, WAYSTATION_NAMESPACE="faces"
    ) as running:
        yield running


@pytest.fixture(params=FACES)
def face(open_server: Server, request: pytest.FixtureRequest) -> Iterator[Face]:
    """Each face in turn."""
    yield from each_face(open_server, request.param)


# --- a station that asks everybody for a token --------------------------------------------------


@pytest.fixture(scope="session")
def guarded(redis_url: str, jobs_redis_url: str) -> Settings:
    """Settings of such a station."""
    return load_settings(
        {
            "REDIS_URL": redis_url,
            "JOBS_REDIS_URL": jobs_redis_url,
            "WAYSTATION_NAMESPACE": "guarded",
            "WAYSTATION_PARTITIONS": "4",
            "WAYSTATION_AUTH": "required",
            "WAYSTATION_RATE_LIMIT": "off",
            "WAYSTATION_RATE_LIMIT_ANONYMOUS": "off",
        }
    )


@pytest.fixture(scope="session")
def guarded_app(guarded: Settings) -> Iterator[APIFlask]:
    """Its application; its tests name their agents apart."""
    station = build_broker(guarded)
    yield create_app(guarded, station)
    station.redis.client.close()
    station.jobs.client.close()


@pytest.fixture(scope="session")
def make_scene(guarded: Settings, guarded_app: APIFlask) -> MakeScene:
    """Set scenes with a key for each sort of caller; their agents no other scene has."""
    context: AppContext = guarded_app.extensions["waystation"]
    stage = Stage(broker=context.broker, settings=guarded)
    numbers = itertools.count(1)
    return lambda: Scene(stage, guarded_app.test_client(), str(next(numbers)))


@pytest.fixture
def scene(make_scene: MakeScene) -> Iterator[Scene]:
    """An agent with its partner and a stranger."""
    scene = make_scene()
    yield scene
    scene.forget()


@pytest.fixture(scope="session")
def guarded_server(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str, jobs_redis_url: str
) -> Iterator[Server]:
    """A web server that asks everybody for a token."""
    with serving(
        tmp_path_factory.mktemp("web"),
        redis_url,
        jobs_redis_url,
        WAYSTATION_NAMESPACE="guarded-faces",
        WAYSTATION_AUTH="required",
        WAYSTATION_RATE_LIMIT="off",
        WAYSTATION_RATE_LIMIT_ANONYMOUS="off",
    ) as running:
        yield running


ADMIN_TOKEN = secrets.token_urlsafe(32)
TOKEN = re.compile(r"wsk_[0-9A-Z]{26}_[\w-]{43}")


class Guarded:
    """A station that asks for tokens; without one named, the admin asks."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.broker = api.broker

    def call(
        self, method: str, path: str, document: object = None, token: str | None = ADMIN_TOKEN
    ) -> TestResponse:
        options: dict[str, Any] = {} if document is None else {"json": document}
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.api.call(method, path, headers=headers, **options)

    def get(self, path: str, token: str | None = ADMIN_TOKEN) -> TestResponse:
        return self.call("GET", path, token=token)

    def post(
        self, path: str, document: object = None, token: str | None = ADMIN_TOKEN
    ) -> TestResponse:
        return self.call("POST", path, document, token)

    def issue(self, *scopes: str, **fields: Any) -> dict[str, Any]:
        response = self.post("/keys", {"name": "a key", "scopes": scopes} | fields)
        assert response.status_code == 201, response.json
        issued: dict[str, Any] = response.get_json()
        return issued

    def forget(self) -> None:
        """As if the second were over for which a process trusts what a token proved."""
        self.broker.identity.identities._known.clear()


MakeGuarded = Callable[..., Guarded]


@pytest.fixture
def make_guarded(settings: MakeSettings, make_broker: MakeBroker) -> MakeGuarded:
    def make(**replaced: Any) -> Guarded:
        options = {"auth": "required", "admin_token": ADMIN_TOKEN} | replaced
        broker = make_broker(**options)
        application = create_app(settings(**options), broker)
        return Guarded(Api(client=application.test_client(), broker=broker))

    return make
