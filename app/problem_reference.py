"""Prints `docs/reference/problems.md` from the errors: `python -m app.problem_reference`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

import app.factory  # noqa: F401 - with the application, every class of error is imported
from app.errors import STATUS_OF, TITLE_OF
from broker.kernel.errors import BrokerError

_INTRODUCTION: Final = """\
# What is refused, and what to do

Made by `python -m app.problem_reference` from the errors' own words; don't edit.

Every refusal is a problem document (RFC 9457): `code` is stable, `detail` a sentence for this case,
`errors` names every offending field. Where waiting helps, `Retry-After` (on a WebSocket
`retry_after_seconds`) says how long; send the same again then, with the same idempotency key.

"""
_OF_NO_CLASS: Final = {
    "not_found": "There is nothing under this path.",
    "method_not_allowed": "The path is there, but not for this method.",
    "conflict": "It can't be done in the state that things are in.",
    "internal_error": "A defect of the station; its log says more.",
}
_ROW: Final = re.compile(r" \(SPEC [^)]*\)")
_S = HTTPStatus
_ADVICE: Final[dict[HTTPStatus, str]] = {
    _S.BAD_REQUEST: "Mend the request; the sentence says where it is broken.",
    _S.UNAUTHORIZED: "Send a token that holds, as `Authorization: Bearer <token>`.",
    _S.FORBIDDEN: "Ask with a token that allows it, or as the agent that may.",
    _S.NOT_FOUND: "Check the id. What is not yours to see is answered like what never was.",
    _S.METHOD_NOT_ALLOWED: "The header `Allow` has the methods.",
    _S.CONFLICT: "Look at how things stand now, then decide anew. The same again is refused again.",
    _S.REQUEST_ENTITY_TOO_LARGE: "Send less, or send a reference to it.",
    _S.UNSUPPORTED_MEDIA_TYPE: "Send `Content-Type: application/json`.",
    _S.UNPROCESSABLE_ENTITY: "Mend the fields that `errors` names, all at once.",
    _S.TOO_MANY_REQUESTS: "Wait as long as `Retry-After` says.",
    _S.INTERNAL_SERVER_ERROR: "Try again; if it stays, tell the operator.",
    _S.SERVICE_UNAVAILABLE: "Nothing was half done: wait as `Retry-After` says, and send it again.",
}
_ADVICE_OF: Final = {
    "stale_lease": "Stop working on the message: it is somebody else's, or will be.",
    "stale_epoch": "Stop: a newer session of the agent has taken over.",
    "foreign_origin": "Open the station's own page, or call it from a program that is no browser.",
    "unknown_agent": "Take one of the near names in `detail`, register the agent, or send "
    "with `hold_for_unknown`.",
    "no_recipients": "Take one of the near names in `detail`, or wait for somebody to match.",
    "idempotency_conflict": "Use a new key for a new message, the old one only for the same again.",
    "not_claimed": "Claim the message first.",
    "claim_held": "Leave it to who has it, or try again after `Retry-After`.",
    "claim_done": "Nothing is left to do.",
    "renew_claim": "Use `/claim/renew` for a claimed message.",
    "agent_taken": "Take another id, or come with a key for this one.",
    "inbox_full": "Wait as long as `Retry-After` says; the recipient has to catch up.",
    "data_version": "The operator has to start the version that the data is of, or a newer one.",
    "storage_full": "The operator has to make room; consumers can go on fetching meanwhile.",
}
"""What to do, where it is not the same for all of a status."""


def document() -> str:
    """The whole page."""
    meanings = _OF_NO_CLASS | dict(_meanings(BrokerError))
    parts = [_INTRODUCTION]
    for status in TITLE_OF:
        parts.append(f"## {status.value} {TITLE_OF[status]}\n\n")
        for code in sorted(code for code, its in STATUS_OF.items() if its is status):
            advice = _ADVICE_OF.get(code, _ADVICE[status])
            parts.append(f"### {code}\n\n{meanings[code]}\n\n*What to do:* {advice}\n\n")
    return "".join(parts).rstrip() + "\n"


def _meanings(kind: type[BrokerError]) -> Iterator[tuple[str, str]]:
    """Each code with the first sentence of its class; of several classes, that of the first."""
    found: dict[str, str] = {}
    for inner in kind.__subclasses__():
        words = _ROW.sub("", " ".join((inner.__doc__ or "").split("\n\n", maxsplit=1)[0].split()))
        for code, meaning in ((inner.code, words), *_meanings(inner)):
            found.setdefault(code, meaning)
    yield from found.items()


if __name__ == "__main__":
    sys.stdout.write(document())
