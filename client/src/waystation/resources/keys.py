"""API keys, for admins (SPEC Z1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from waystation.answers import IssuedKey, Key, Keys
from waystation.blocking import Blocking, blocking
from waystation.resources.resource import AsyncResource
from waystation.transport import Call, at, given


class AsyncKeys(AsyncResource):
    """Making, rotating and revoking keys.

    What hands out a token is not said again where the answer is lost, since the token is lost with
    it: look with `list`.
    """

    async def create(
        self,
        name: str,
        scopes: Sequence[str],
        *,
        expires_at: datetime | None = None,
        expires_in_seconds: float | None = None,
    ) -> IssuedKey:
        """Make a key with scopes such as `agent:bob`, `operator`, `admin`; it ends, or never does.

        `token` of the answer is shown this once.
        """
        body = given(
            name=name, scopes=scopes, expires_at=expires_at, expires_in_seconds=expires_in_seconds
        )
        call = Call(method="POST", path=at("keys"), body=body, repeatable=False)
        return await self._transport.ask(call, IssuedKey)

    async def list(self, *, limit: int | None = None, cursor: str | None = None) -> Keys:
        """A page of keys, newest first, without their secrets."""
        query = given(limit=limit, cursor=cursor)
        return await self._transport.ask(Call(method="GET", path=at("keys"), query=query), Keys)

    async def get(self, key_id: str) -> Key:
        """A key, and when it was last used. Raises `KeyNotFoundError`."""
        return await self._transport.ask(Call(method="GET", path=at("keys", key_id)), Key)

    async def rotate(self, key_id: str, *, overlap_seconds: float | None = None) -> IssuedKey:
        """Give a key a new secret; the old one goes on for `overlap_seconds`, or ends at once.

        Raises `KeyNotFoundError`, and `ConflictError` for one that has ended.
        """
        call = Call(
            method="POST",
            path=at("keys", key_id, "rotate"),
            body=given(overlap_seconds=overlap_seconds),
            repeatable=False,
        )
        return await self._transport.ask(call, IssuedKey)

    async def revoke(self, key_id: str) -> Key:
        """End a key for good; within a second it opens nothing. Raises `KeyNotFoundError`."""
        return await self._transport.ask(Call(method="DELETE", path=at("keys", key_id)), Key)


class BlockingKeys(Blocking[AsyncKeys]):
    """The blocking twin of `AsyncKeys`."""

    create = blocking(AsyncKeys.create)
    list = blocking(AsyncKeys.list)
    get = blocking(AsyncKeys.get)
    rotate = blocking(AsyncKeys.rotate)
    revoke = blocking(AsyncKeys.revoke)
