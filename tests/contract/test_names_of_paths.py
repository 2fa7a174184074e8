"""The paths of the first clients work beside /api/v1: the same handlers, mounted again (M16)."""

import pytest
from apiflask import APIFlask

from app.rest import OTHER_PREFIXES, PREFIX
from tests.contract.conftest import Api

pytestmark = pytest.mark.contract

PREFIXES = [*OTHER_PREFIXES.values()]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_path_has_the_same_handler_under_its_other_names(
    application: APIFlask, prefix: str
) -> None:
    rules = {
        (rule.rule, method): application.view_functions[rule.endpoint]
        for rule in application.url_map.iter_rules()
        for method in rule.methods or ()
    }
    document = (f"{PREFIX}/openapi.json", "GET")

    first = {
        (rule.removeprefix(PREFIX), method): view
        for (rule, method), view in rules.items()
        if rule.startswith(PREFIX) and rule != document[0]
    }

    assert len(first) > 20
    for (path, method), view in first.items():
        assert rules[prefix + path, method] is view


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_path_answers_the_same_under_its_other_names(api: Api, prefix: str) -> None:
    message = {"from": "alice", "to": "bob", "body": "hi", "idempotency_key": "one"}

    first = api.client.post(f"{PREFIX}/messages", json=message)
    again = api.client.post(f"{prefix}/messages", json=message)
    refused = [api.client.get(f"{name}/agents/nobody/inbox") for name in (PREFIX, prefix)]

    assert again.get_json() == first.get_json() | {"created": False}
    assert refused[0].get_json() == refused[1].get_json()
    assert refused[1].content_type == "application/problem+json"


def test_the_probes_keep_their_places(api: Api) -> None:
    assert api.client.get("/health").get_json() == {"status": "alive"}
    assert api.client.get("/metrics").content_type.startswith("text/plain")


def test_the_document_describes_each_path_once(api: Api) -> None:
    document = api.get("/openapi.json").get_json()

    names = [
        operation["operationId"]
        for methods in document["paths"].values()
        for operation in methods.values()
    ]
    assert len(names) == len(set(names))
    assert "no prefix" in document["info"]["description"]
    outside = [path for path in document["paths"] if not path.startswith(PREFIX)]
    assert all(path.startswith("/health") for path in outside)
    assert not any(tag["name"].endswith(tuple(OTHER_PREFIXES)) for tag in document["tags"])
