"""The generated pages tell of today's code, and say all that there is to say."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from app import asyncapi, http_reference, problem_reference
from app.errors import STATUS_OF
from app.openapi_document import openapi
from config.settings import ROOT

pytestmark = pytest.mark.docs

REFERENCE = ROOT / "docs" / "reference"


@pytest.mark.parametrize(
    ("page", "document"),
    [("http.md", http_reference.document), ("problems.md", problem_reference.document)],
)
def test_a_page_is_that_of_today(page: str, document: Callable[[], str]) -> None:
    assert (REFERENCE / page).read_text() == document()


@pytest.mark.parametrize("page", ["cli", "mcp"])
def test_a_page_of_the_client_is_that_of_today(page: str) -> None:
    tool = ROOT / "client" / "tools" / f"{page}_reference.py"

    printed = subprocess.run([sys.executable, tool], capture_output=True, text=True, check=True)

    assert (REFERENCE / f"{page}.md").read_text() == printed.stdout


def test_the_document_of_the_websocket_is_that_of_today() -> None:
    written = json.loads((REFERENCE / "asyncapi.json").read_text())

    assert written == asyncapi.document(asks_for_tokens=True)


def test_every_operation_is_told_of() -> None:
    page = (REFERENCE / "http.md").read_text()

    for path, methods in openapi()["paths"].items():
        for method, operation in methods.items():
            assert f"### `{method.upper()} {path}`\n\n`{operation['operationId']}`" in page


def test_every_code_is_told_of() -> None:
    page = (REFERENCE / "problems.md").read_text()

    assert [code for code in STATUS_OF if f"### {code}\n" not in page] == []
