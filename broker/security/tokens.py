"""The secrets that the station gives out: their form, and what of them is kept.

`wsk_<ULID>_<secret>` is a key, `wsi_<ULID>_<secret>` an invitation. The ULID is the record's own,
`key_<ULID>` or `inv_<ULID>`, so that any process finds it; the prefix lets scanners for leaked
secrets know what they see. The secret is 256 bits of the system's randomness in base64url.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from enum import Enum
from typing import Final

_SECRET_BYTES: Final = 32
_FORM: Final = re.compile(
    r"(?P<prefix>ws[ki])_(?P<ulid>[0-7][0-9A-HJKMNP-TV-Z]{25})_[\w-]{43}", re.ASCII
)


class TokenKind(Enum):
    """What a token is: its own prefix and that of its record's id."""

    KEY = ("wsk", "key")
    INVITATION = ("wsi", "inv")

    @property
    def id_prefix(self) -> str:
        """The prefix of the record's id."""
        return self.value[1]

    def new(self, identifier: str) -> str:
        """A fresh token for the record of this id."""
        ulid = identifier.removeprefix(f"{self.id_prefix}_")
        return f"{self.value[0]}_{ulid}_{secrets.token_urlsafe(_SECRET_BYTES)}"

    def identifier(self, token: str) -> str | None:
        """The id of the record that a token claims to open; None if it is no such token."""
        found = _FORM.fullmatch(token)
        if found is None or found["prefix"] != self.value[0]:
            return None
        return f"{self.id_prefix}_{found['ulid']}"


def digest(token: str) -> str:
    """What is kept of a token, to know it again.

    A fast hash is right here, unlike for passwords: nobody can try out 256 random bits, however
    fast each try is, so that a slow one would only slow the station down.
    """
    return hashlib.sha256(token.encode()).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two digests are equal, in a time that does not tell how much of them is."""
    return hmac.compare_digest(one, other)
