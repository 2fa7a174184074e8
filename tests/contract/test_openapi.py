"""The OpenAPI document holds: schemathesis finds no 500 and no undocumented answer."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from apiflask import APIFlask
from flask import Response
from werkzeug.serving import make_server

from app.context import AppContext
from broker.wiring import Broker
from tests.contract.conftest import Api

pytestmark = pytest.mark.contract

SECONDS = 300  # about 20 on an idle machine


@pytest.fixture
def served(application: APIFlask, broker: Broker) -> Iterator[str]:
    """The application on a port; it routes after each answer, and its long polls answer at once."""
    context: AppContext = application.extensions["waystation"]
    context.stopping.set()

    @application.after_request
    def route(response: Response) -> Response:
        if response.status_code == HTTPStatus.ACCEPTED:
            broker.router.drain()
        return response

    Api(client=application.test_client(), broker=broker).register("alice", "bob")
    server = make_server("127.0.0.1", 0, application, threaded=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    serving.join()
    server.server_close()


def test_the_document_describes_every_operation(api: Api) -> None:
    document = api.get("/openapi.json").get_json()

    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert document["openapi"].startswith("3.1")
    assert {"sendMessage", "fetchInbox", "registerAgent", "findDeadLetters"} <= {
        operation["operationId"] for operation in operations
    }
    for operation in operations:
        assert operation["summary"]
        assert {"500", "503"} <= set(operation["responses"])


def test_every_reference_of_the_document_leads_somewhere(api: Api) -> None:
    document = api.get("/openapi.json")

    names = set(document.get_json()["components"]["schemas"])

    assert set(re.findall(r'"#/components/schemas/([^"]*)"', document.text)) <= names


@pytest.mark.timeout(SECONDS + 10)
def test_no_answer_is_undocumented(served: str, tmp_path: Path) -> None:
    config = Path(__file__).with_name("schemathesis.toml")

    tried = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            f"--config-file={config}",
            "run",
            f"{served}/api/v1/openapi.json",
            "--phases=examples,coverage,fuzzing,stateful",
            "--max-examples=8",
            "--continue-on-failure",
            "--generation-deterministic",
            # A sender may have to wait for room in an inbox (on_full: block), ten seconds at most.
            "--request-timeout=20",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )

    assert tried.returncode == 0, tried.stdout[-20_000:] + tried.stderr
