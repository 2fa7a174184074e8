"""Keys: making, rotating and revoking them; and what the caller's own is (SPEC Z1)."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint
from flask import Response

from app.access import ADMIN, KNOWN
from app.context import broker
from app.identity import principal
from app.json_document import answer
from app.rest.operation import operation
from app.schemas.keys import (
    FIND_KEYS,
    NEW_KEY,
    ROTATE,
    FindKeys,
    IssuedKeyView,
    KeysView,
    KeyView,
    PrincipalView,
    issued_view,
    key_view,
    principal_view,
)
from broker.kernel.ids import KeyId
from broker.security.api_keys import NewKey

keys = APIBlueprint("keys", __name__)

_EXAMPLE: Final = {"name": "bob on build-7", "scopes": ["agent:bob"]}
_NO_STORE: Final = {"Cache-Control": "no-store"}


@keys.post("/keys")
@operation("createKey", access=ADMIN, body=NEW_KEY, example=_EXAMPLE, answers={201: IssuedKeyView})
def create(body: NewKey) -> Response:
    """Make a key; its token is answered here and never again."""
    issued = broker().identity.keys.create(body, created_by=principal().name)
    return answer(issued_view(issued), 201, _NO_STORE)


@keys.get("/keys")
@operation("findKeys", access=ADMIN, query=FIND_KEYS, answers={200: KeysView})
def find(query: FindKeys) -> Response:
    """List keys, newest first, without their secrets."""
    found, cursor = broker().identity.keys.find(limit=query.limit, before=query.before)
    return answer(KeysView(keys=[key_view(one) for one in found], cursor=cursor))


@keys.get("/keys/<key_id>")
@operation("getKey", access=ADMIN, answers={200: KeyView}, errors=("key_not_found",))
def get(key_id: KeyId) -> Response:
    """Show a key and when it was last used."""
    return answer(key_view(broker().identity.keys.get(key_id)))


@keys.post("/keys/<key_id>/rotate")
@operation(
    "rotateKey",
    access=ADMIN,
    body=ROTATE,
    optional=True,
    example={"overlap_seconds": 3600},
    answers={200: IssuedKeyView},
    errors=("key_not_found", "conflict"),
)
def rotate(key_id: KeyId, body: int) -> Response:
    """Give a key a new secret; the old one goes on for as long as is said."""
    issued = broker().identity.keys.rotate(key_id, overlap_ms=body)
    return answer(issued_view(issued), 200, _NO_STORE)


@keys.delete("/keys/<key_id>")
@operation("revokeKey", access=ADMIN, answers={200: KeyView}, errors=("key_not_found",))
def revoke(key_id: KeyId) -> Response:
    """End a key for good; within a second it opens nothing any more."""
    return answer(key_view(broker().identity.keys.revoke(key_id)))


@keys.get("/me")
@operation("getMe", access=KNOWN, answers={200: PrincipalView})
def me() -> Response:
    """Show who asks, as the station knows it: its scopes, and when they end."""
    return answer(principal_view(principal()))
