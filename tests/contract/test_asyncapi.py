"""The AsyncAPI document says what is exchanged on a WebSocket, and is served (SPEC I7).

That every frame of the tests is as it says, `websocket_server.Agent` sees to.
"""

import json
import re
from typing import Any

import jsonschema_rs
import pytest

from app.asyncapi import document
from app.schemas.shape import Shape
from app.websocket.endings import CloseCode
from app.websocket.frames import FRAMES
from config.settings import ROOT
from tests.contract.conftest import Api, MakeGuarded
from tests.contract.documented_frames import DOCUMENT, VALIDATORS, check, members

pytestmark = pytest.mark.contract

Members = dict[str, Any]

MESSAGE_ID = "msg_01JD0000000000000000000000"
HELD: Members = {"id": MESSAGE_ID, "lease_token": "1-abc"}
SAID: dict[str, Members] = {
    "hello": {"credit": 5, "instance_id": "one", "epoch": 2},
    "ack": HELD,
    "nack": HELD | {"reason": "busy", "delay_seconds": 5, "permanent": False},
    "extend": HELD | {"seconds": 60},
    "claim": {"id": MESSAGE_ID, "claim_seconds": 60},
    "renew": HELD | {"seconds": 60},
    "release": HELD,
    "send": {"message": {"to": "bob", "body": "hi"}},
    "reply": {"id": MESSAGE_ID, "response": "yes"},
    "heartbeat": {"status": "busy"},
    "credit": {"more": 5},
}


def test_every_frame_that_is_taken_is_documented_with_its_answer() -> None:
    assert list(SAID) == list(FRAMES)

    for kind, frame in SAID.items():
        check(f"{kind.title()}Frame", {"type": kind, "ref": 1, **frame})
        assert DOCUMENT["operations"][kind]["action"] == "receive"
        assert {"type", "ref"} < members(f"{kind.title()}Answer")


@pytest.mark.parametrize(("kind", "shape"), FRAMES.items())
def test_a_frame_with_a_member_that_nobody_takes_is_none_of_the_document(
    kind: str, shape: Shape[object]
) -> None:
    frame = {"type": kind, **SAID[kind]}
    assert members(f"{kind.title()}Frame") == {"type", "ref", *shape._readers}

    for wrong in (frame | {"misspelt": 1}, {**SAID[kind]}):
        with pytest.raises(jsonschema_rs.ValidationError):
            VALIDATORS[f"{kind.title()}Frame"].validate(wrong)


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(DOCUMENT)

    for reference in re.findall(r'"\$ref": "#/([^"]*)"', text):
        found = DOCUMENT
        for part in reference.split("/"):
            found = found[part]
        assert found


def test_every_close_code_is_explained() -> None:
    codes = DOCUMENT["channels"]["agent"]["x-close-codes"]

    assert set(codes) == {str(code.value) for code in CloseCode}


def test_the_file_is_that_of_today() -> None:
    file = ROOT / "docs" / "reference" / "asyncapi.json"

    assert json.loads(file.read_text()) == DOCUMENT


def test_it_is_served_to_everybody(api: Api, make_guarded: MakeGuarded) -> None:
    assert api.get("/asyncapi.json").get_json() == document(asks_for_tokens=False)
    assert make_guarded().get("/asyncapi.json", token=None).get_json() == DOCUMENT
