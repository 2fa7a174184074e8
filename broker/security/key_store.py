"""The records of keys in Redis: one hash each; transitions are Lua files of `security/lua`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from broker.kernel.ids import KeyId, Partition
from broker.security.key_record import ApiKey
from broker.security.scopes import agents_of
from broker.storage.connection import Redis
from broker.storage.keys import Keys
from broker.storage.scripts import Argument, Outcome, Script

_LUA: Final = Path(__file__).parent / "lua"
_SCRIPTS: Final = (
    "create_admin_key",
    "create_key",
    "enrol",
    "note_key_use",
    "revoke_key",
    "rotate_key",
)
_FIELDS: Final = (
    "name",
    "scopes",
    "created_by",
    "created_at",
    "expires_at",
    "last_used_at",
    "rotated_at",
    "revoked_at",
    "generation",
    "digest",
    "previous_digest",
    "previous_until",
)
_KEPT_MS: Final = 30 * 86_400_000
"""How long the record of a key outlives it, for whoever asks what it was."""

ADMINS_PARTITION: Final = Partition(0)
"""Where the keys of admins live, beside the note that there was one."""


class KeyStore:
    """Transitions and reads of keys."""

    def __init__(self, redis: Redis, keys: Keys, *, activity_cap: int) -> None:
        self._redis = redis
        self.keys = keys
        self._activity_cap = activity_cap
        self._scripts = {name: Script.load(_LUA, name) for name in _SCRIPTS}

    # --- moves ------------------------------------------------------------------------------

    def create(self, key: ApiKey) -> None:
        """Keep a new key."""
        self._move("create_key", key.id, _new(key))
        self._index(key)

    def create_for_admin(self, key: ApiKey, *, only_first: bool) -> bool:
        """Keep a new key of an admin; with `only_first`, only if there never was one.

        Whether it was kept.
        """
        arguments = {**_new(key), "only_first": int(only_first)}
        if self._move("create_admin_key", key.id, arguments).name == "not_first":
            return False
        self._index(key)
        return True

    def enrol(
        self, key: ApiKey, agent_keys: Mapping[str, str], arguments: Mapping[str, Argument]
    ) -> Outcome:
        """Keep a new key and register its agent: created or taken.

        The names and arguments are the directory's (see directory/lua/register.lua).
        """
        (agent,) = agents_of(key.scopes)
        script = self._scripts["enrol"]
        names = {**agent_keys, **self._keys_of(key.id), "agent_keys": self.keys.agent_keys(agent)}
        values = {**arguments, **_new(key), "key_id": key.id}
        return self._redis.call(
            script.bind(
                keys={name: names[name] for name in script.key_names},
                args={name: values[name] for name in script.argument_names},
            )
        )

    def rotate(self, key: ApiKey, digest: str, now_ms: int, overlap_ends_at: int) -> str:
        """Give a key a new secret, if it still is as it was read: the outcome's name."""
        arguments: dict[str, Argument] = {
            "digest": digest,
            "generation": key.generation,
            "now": now_ms,
            "overlap_ends_at": overlap_ends_at,
        }
        return self._move("rotate_key", key.id, arguments).name

    def revoke(self, key: ApiKey, now_ms: int) -> str:
        """End a key for good: the outcome's name."""
        arguments: dict[str, Argument] = {"now": now_ms, "leaves_at": now_ms + _KEPT_MS}
        outcome = self._move("revoke_key", key.id, arguments).name
        # Afterwards, so that a crash between leaves an id that is not free rather than a key that
        # opens; revoking again mends it.
        self._redis.commands(
            [("ZREM", self.keys.agent_keys(agent), key.id) for agent in agents_of(key.scopes)]
        )
        return outcome

    def note_use(self, uses: Mapping[KeyId, int]) -> None:
        """Note when these keys were last used; one trip."""
        script = self._scripts["note_key_use"]
        self._redis.call_many(
            [
                script.bind(keys={"api_key": self.keys.api_key(key)}, args={"used_at": used_at})
                for key, used_at in uses.items()
            ]
        )

    def _index(self, key: ApiKey) -> None:
        """Note for the agents of a key that their ids are not free; safe to repeat.

        After the key itself: a crash between leaves a key whose token nobody was ever told.
        """
        ends_at = "+inf" if key.expires_at is None else key.expires_at
        self._redis.commands(
            [
                ("ZADD", self.keys.agent_keys(agent), ends_at, key.id)
                for agent in agents_of(key.scopes)
            ]
        )

    def _keys_of(self, key: KeyId) -> dict[str, str]:
        partition = self.keys.partition_of(key)
        return {
            "api_key": self.keys.api_key(key),
            "api_keys": self.keys.api_keys(partition),
            "first_admin_key": self.keys.first_admin_key(),
            "counters": self.keys.counters(partition),
            "activity": self.keys.activity(partition),
        }

    def _move(self, name: str, key: KeyId, args: Mapping[str, Argument]) -> Outcome:
        script = self._scripts[name]
        keys = self._keys_of(key)
        return self._redis.call(
            script.bind(
                keys={name: keys[name] for name in script.key_names},
                args={"key_id": key, "activity_cap": self._activity_cap, **args},
            )
        )

    # --- reads ------------------------------------------------------------------------------

    def read(self, keys: Sequence[KeyId]) -> list[ApiKey | None]:
        """These keys, None where there is none; one trip for all."""
        found = self._redis.commands([("HMGET", self.keys.api_key(key), *_FIELDS) for key in keys])
        return [_key(key, fields) for key, fields in zip(keys, found, strict=True)]

    def identifiers(self) -> list[KeyId]:
        """The ids of all keys, newest first; one trip."""
        partitions: Iterable[Partition] = map(Partition, self.keys.all_partitions())
        found = self._redis.commands(
            [("ZRANGE", self.keys.api_keys(number), 0, -1) for number in partitions]
        )
        return sorted((KeyId(name.decode()) for names in found for name in names), reverse=True)


def _new(key: ApiKey) -> dict[str, Argument]:
    """The arguments of `includes/api_key.lua`."""
    return {
        "key_name": key.name,
        "key_scopes": " ".join(key.scopes),
        "key_digest": key.digest or "",
        "key_author": key.created_by,
        "key_made_at": key.created_at,
        "key_ends_at": "" if key.expires_at is None else key.expires_at,
        "key_leaves_at": "+inf" if key.expires_at is None else key.expires_at + _KEPT_MS,
    }


def _key(key: KeyId, values: Sequence[bytes | None]) -> ApiKey | None:
    texts = {
        name: value.decode()
        for name, value in zip(_FIELDS, values, strict=True)
        if value is not None
    }
    if "created_at" not in texts:
        return None

    def number(name: str) -> int | None:
        return int(texts[name]) if name in texts else None

    return ApiKey(
        id=key,
        name=texts["name"],
        scopes=tuple(texts["scopes"].split()),
        created_at=int(texts["created_at"]),
        created_by=texts["created_by"],
        expires_at=number("expires_at"),
        last_used_at=number("last_used_at"),
        rotated_at=number("rotated_at"),
        revoked_at=number("revoked_at"),
        generation=int(texts["generation"]),
        digest=texts.get("digest"),
        previous_digest=texts.get("previous_digest"),
        previous_until=number("previous_until"),
    )
