"""The records of invitations in Redis: one hash each, and the set of those who used it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from broker.kernel.ids import AgentId, InvitationId, Partition
from broker.storage.connection import Redis
from broker.storage.keys import Keys
from broker.storage.scripts import Argument, Script

_LUA: Final = Path(__file__).parent / "lua"
_SCRIPTS: Final = ("create_invitation", "revoke_invitation", "use_invitation")
_FIELDS: Final = (
    "pattern",
    "uses",
    "created_by",
    "created_at",
    "expires_at",
    "revoked_at",
    "digest",
)
_KEPT_MS: Final = 30 * 86_400_000
"""How long the record of an invitation outlives it."""


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """An invitation; times in ms. A revoked one has no digest."""

    id: InvitationId
    pattern: str
    uses: int
    created_at: int
    created_by: str
    expires_at: int
    used: int = 0
    revoked_at: int | None = None
    digest: str | None = field(default=None, repr=False)


class InvitationStore:
    """Transitions and reads of invitations; each transition is one Lua file of `security/lua`."""

    def __init__(self, redis: Redis, keys: Keys, *, activity_cap: int) -> None:
        self._redis = redis
        self._keys = keys
        self._activity_cap = activity_cap
        self._scripts = {name: Script.load(_LUA, name) for name in _SCRIPTS}

    @property
    def partitions(self) -> int:
        """Into how many parts the keys are spread."""
        return self._keys.partitions

    def create(self, invitation: Invitation) -> None:
        """Keep a new invitation."""
        self._move(
            "create_invitation",
            invitation.id,
            {
                "pattern": invitation.pattern,
                "uses": invitation.uses,
                "digest": invitation.digest or "",
                "author": invitation.created_by,
                "now": invitation.created_at,
                "expires_at": invitation.expires_at,
                "leaves_at": invitation.expires_at + _KEPT_MS,
            },
        )

    def use(self, invitation: Invitation, agent: AgentId, now_ms: int) -> str:
        """Use it for an agent: used, spent or ended."""
        return self._move(
            "use_invitation",
            invitation.id,
            {
                "agent_id": agent,
                "now": now_ms,
                "leaves_at": invitation.expires_at + _KEPT_MS,
            },
        )

    def revoke(self, invitation: InvitationId, now_ms: int) -> str:
        """Withdraw it: revoked or unknown."""
        return self._move("revoke_invitation", invitation, {"now": now_ms})

    def _move(self, name: str, invitation: InvitationId, args: Mapping[str, Argument]) -> str:
        script = self._scripts[name]
        partition = self._keys.partition_of(invitation)
        keys = {
            "invitation": self._keys.invitation(invitation),
            "invited": self._keys.invited(invitation),
            "invitations": self._keys.invitations(partition),
            "counters": self._keys.counters(partition),
            "activity": self._keys.activity(partition),
        }
        outcome = self._redis.call(
            script.bind(
                keys={name: keys[name] for name in script.key_names},
                args={"invitation_id": invitation, "activity_cap": self._activity_cap, **args},
            )
        )
        return outcome.name

    def read(self, invitations: Sequence[InvitationId]) -> list[Invitation | None]:
        """These invitations, None where there is none; one trip for all."""
        found = self._redis.commands(
            [
                command
                for one in invitations
                for command in (
                    ("HMGET", self._keys.invitation(one), *_FIELDS),
                    ("SCARD", self._keys.invited(one)),
                )
            ]
        )
        return [
            _invitation(one, fields, used)
            for one, fields, used in zip(invitations, found[::2], found[1::2], strict=True)
        ]

    def identifiers(self) -> list[InvitationId]:
        """The ids of all invitations, newest first; one trip."""
        partitions: Iterable[Partition] = map(Partition, self._keys.all_partitions())
        found = self._redis.commands(
            [("ZRANGE", self._keys.invitations(number), 0, -1) for number in partitions]
        )
        return sorted(
            (InvitationId(name.decode()) for names in found for name in names), reverse=True
        )


def _invitation(
    identifier: InvitationId, values: Sequence[bytes | None], used: int
) -> Invitation | None:
    texts = {
        name: value.decode()
        for name, value in zip(_FIELDS, values, strict=True)
        if value is not None
    }
    if "created_at" not in texts:
        return None
    return Invitation(
        id=identifier,
        pattern=texts["pattern"],
        uses=int(texts["uses"]),
        created_at=int(texts["created_at"]),
        created_by=texts["created_by"],
        expires_at=int(texts["expires_at"]),
        used=used,
        revoked_at=int(texts["revoked_at"]) if "revoked_at" in texts else None,
        digest=texts.get("digest"),
    )
