"""A message as its recipient gets it: the same in an inbox, on a WebSocket and in a webhook.

Encode with `msgspec.json`: JSON that a sender attached stays as it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NotRequired, TypedDict

import msgspec

from broker.kernel.clock import rfc3339
from broker.kernel.priority import display
from broker.messaging.delivery import Delivered, Lease
from broker.messaging.message import MAX_LEAVES, MAX_NAME, JsonText, Message

JsonView = msgspec.Raw | None

Timestamp = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""A time by RFC 3339, in UTC."""

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
_Parts = Annotated["list[_Text | Selector]", msgspec.Meta(min_length=1, max_length=MAX_LEAVES)]


class Selector(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    rename={"none_of": "not"},
):
    """Agents in each of all_of, in any of any_of, and in none of not."""

    all_of: _Parts | msgspec.UnsetType = msgspec.UNSET
    any_of: _Parts | msgspec.UnsetType = msgspec.UNSET
    none_of: _Parts | msgspec.UnsetType = msgspec.UNSET


TargetView = str | Selector
TargetsView = TargetView | list[TargetView]


class LeaseView(TypedDict):
    """The right to finish a delivery, fenced by its token."""

    token: str
    expires_at: Timestamp


SaidView = TypedDict(
    "SaidView",
    {
        "from": str,
        "to": TargetsView,
        "kind": str,
        "priority": str | int,
        "subject": str | None,
        "body": str | None,
        "payload": JsonView,
        "meta": JsonView,
        "channel": str | None,
    },
)
"""What every message says; in this form, because `from` is a word of Python."""


class DeliveredView(SaidView):
    """A message as its recipient gets it."""

    id: str
    thread_id: str
    reply_to: str | None
    created_at: Timestamp
    expires_at: Timestamp
    attempt: int
    lease: LeaseView | None
    correlation_id: NotRequired[str]
    expects_reply: NotRequired[bool]
    timeout_at: NotRequired[Timestamp]
    claimable: NotRequired[bool]


def delivered(one: Delivered) -> DeliveredView:
    """A message as its recipient gets it; encode with `msgspec.json`."""
    message = one.message
    view: DeliveredView = {
        "id": message.id,
        **said(message),  # type: ignore[typeddict-item] # it has neither of the optional keys
        "thread_id": message.thread,
        "reply_to": message.reply_to,
        "created_at": rfc3339(message.created_at),
        "expires_at": rfc3339(message.expires_at),
        "attempt": one.attempt,
        "lease": None if one.lease is None else lease(one.lease),
    }
    if message.correlation_id is not None:
        view["correlation_id"] = message.correlation_id
    if message.expects_reply:
        view["expects_reply"] = True
    if message.timeout_at is not None:
        view["timeout_at"] = rfc3339(message.timeout_at)
    if message.claimable:
        view["claimable"] = True
    return view


def unleased(one: Delivered) -> DeliveredView:
    """The same for a recipient who finishes it by its answer, and needs no lease."""
    return {**delivered(one), "lease": None}


def lease(held: Lease) -> LeaseView:
    """The right to finish a delivery."""
    return {"token": held.token, "expires_at": rfc3339(held.expires_at)}


def said(message: Message) -> SaidView:
    """What a message says, and to whom; encode with `msgspec.json`."""
    return {
        "from": message.sender,
        "to": targets_view(message.to),
        "kind": message.kind,
        "priority": display(message.priority),
        "subject": message.subject,
        "body": message.body,
        "payload": raw_json(message.payload),
        "meta": raw_json(message.meta),
        "channel": message.channel,
    }


def raw_json(text: JsonText | None) -> JsonView:
    """JSON as it came; encode with `msgspec.json`."""
    return None if text is None else msgspec.Raw(text)


def targets_view(to: Sequence[str]) -> TargetsView:
    """Targets as they were sent: one by itself, several as a list."""
    views = [_view(target) for target in to]
    return views[0] if len(views) == 1 else views


def _view(target: str) -> TargetView:
    return msgspec.json.decode(target, type=Selector) if target.startswith("{") else target
