"""Keys: as admins ask for them, and as they are shown (SPEC Z1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypedDict

from app.schemas.fields import Duration, Line, Lines, Moment, key_id_field
from app.schemas.lists import page_limit
from app.schemas.messages import moment
from app.schemas.shape import QueryShape, Shape
from broker.kernel.clock import rfc3339, system_clock
from broker.kernel.errors import FieldProblem
from broker.kernel.ids import KeyId
from broker.messaging.wire import Timestamp
from broker.security.api_keys import Issued, NewKey
from broker.security.key_record import ApiKey
from broker.security.principal import Principal
from broker.security.scopes import MAX_SCOPES, scopes_of

_PAGE: Final = 100
_MONTH_SECONDS: Final = 30 * 86_400
_MAX_SCOPE: Final = 160


class NewKeyShape(Shape[NewKey]):
    """A key that is to be made."""

    name = Line(required=True, description="What it is for, for whoever reads the list.")
    scopes = Lines(
        _MAX_SCOPE,
        count=MAX_SCOPES,
        required=True,
        description="What its bearer may do: agent:<id>, operator, admin, integration:<name>.",
    )
    expires_at = Moment(description="When it ends; never where nothing is said.")
    expires_in_ms = Duration(data_key="expires_in_seconds", description="The same from now on.")

    def rules(self, data: Mapping[str, Any]) -> Iterable[FieldProblem]:
        """A key has one end."""
        if data.get("expires_in_seconds") is not None and data.get("expires_at") is not None:
            yield FieldProblem(field="expires_at", message="excludes expires_in_seconds")

    def build(self, values: dict[str, Any]) -> NewKey:
        """The key that is asked for."""
        return NewKey(**values)


class RotateShape(Shape[int]):
    """How a key gets its new secret."""

    overlap_ms = Duration(
        0,
        _MONTH_SECONDS,
        data_key="overlap_seconds",
        description="How long the old secret goes on; where nothing is said it ends at once.",
    )

    def build(self, values: dict[str, Any]) -> int:
        """The overlap in ms."""
        return int(values.get("overlap_ms", 0))


@dataclass(frozen=True, kw_only=True)
class FindKeys:
    """A page of the keys."""

    limit: int
    before: KeyId | None


class FindKeysShape(QueryShape[FindKeys]):
    """Which keys to list, newest first."""

    limit = page_limit()
    before = key_id_field(data_key="cursor", description="Go on behind this one.")

    def build(self, values: dict[str, Any]) -> FindKeys:
        """The page that is asked for."""
        return FindKeys(limit=values.get("limit", _PAGE), before=values.get("before"))


class KeyView(TypedDict):
    """A key without its secret, which nobody can be shown again."""

    id: str
    name: str
    scopes: list[str]
    status: str
    created_at: Timestamp
    created_by: str
    expires_at: Timestamp | None
    last_used_at: Timestamp | None
    rotated_at: Timestamp | None
    revoked_at: Timestamp | None


class IssuedKeyView(KeyView):
    """A key and its token: the only time that it is shown."""

    token: str


class KeysView(TypedDict):
    """A page of keys; the cursor is null at the end."""

    keys: list[KeyView]
    cursor: str | None


class PrincipalView(TypedDict):
    """Who asks, as the station knows it."""

    name: str
    scopes: list[str]
    is_operator: bool
    is_admin: bool
    expires_at: Timestamp | None


def key_view(key: ApiKey) -> KeyView:
    """A key as admins see it."""
    return {
        "id": key.id,
        "name": key.name,
        "scopes": list(key.scopes),
        "status": key.state(system_clock()).value,
        "created_at": rfc3339(key.created_at),
        "created_by": key.created_by,
        "expires_at": moment(key.expires_at),
        "last_used_at": moment(key.last_used_at),
        "rotated_at": moment(key.rotated_at),
        "revoked_at": moment(key.revoked_at),
    }


def issued_view(issued: Issued) -> IssuedKeyView:
    """A key as whoever made it sees it, once."""
    return {**key_view(issued.key), "token": issued.token}


def principal_view(principal: Principal) -> PrincipalView:
    """Who asks."""
    return {
        "name": principal.name,
        "scopes": scopes_of(principal),
        "is_operator": principal.is_operator,
        "is_admin": principal.is_admin,
        "expires_at": moment(principal.expires_at),
    }


NEW_KEY: Final = NewKeyShape()
ROTATE: Final = RotateShape()
FIND_KEYS: Final = FindKeysShape()
