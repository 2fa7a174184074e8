"""Ids in paths: their forms, and what is answered for those that have none."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from flask import Flask
from marshmallow import ValidationError
from werkzeug.routing import BaseConverter

from app.schemas.fields import (
    Identifier,
    Line,
    agent_id_field,
    channel_id_field,
    dead_letter_id_field,
    invitation_id_field,
    key_id_field,
    message_id_field,
    recurring_id_field,
)
from app.schemas.tickets import ticket_id_field
from broker.kernel.errors import (
    BrokerError,
    DeadLetterNotFoundError,
    FieldProblem,
    InvalidFieldsError,
    InvitationNotFoundError,
    KeyNotFoundError,
    MessageNotFoundError,
    RecurringNotFoundError,
)
from broker.kernel.ids import MESSAGE_ID_PATTERN
from broker.messaging.tickets import TicketNotFoundError


def _invalid(_: str, problem: FieldProblem) -> BrokerError:
    return InvalidFieldsError([problem])


def _unknown(error: type[BrokerError]) -> Callable[[str, FieldProblem], BrokerError]:
    """An id that we never gave out names nothing."""

    def refuse(value: str, problem: FieldProblem) -> BrokerError:
        return error(f"There is no {value[:64]!r}: it {problem.message}.", problems=[problem])

    return refuse


@dataclass(frozen=True)
class _Parameter:
    form: Identifier | Line
    refuse: Callable[[str, FieldProblem], BrokerError]


PARAMETERS: Final = {
    "agent_id": _Parameter(agent_id_field(required=True), _invalid),
    "channel_id": _Parameter(channel_id_field(required=True), _invalid),
    "other_id": _Parameter(agent_id_field(required=True), _invalid),
    "thread_id": _Parameter(Line(required=True), _invalid),
    "ticket_id": _Parameter(ticket_id_field(required=True), _unknown(TicketNotFoundError)),
    "message_id": _Parameter(message_id_field(required=True), _unknown(MessageNotFoundError)),
    "dead_letter_id": _Parameter(
        dead_letter_id_field(required=True), _unknown(DeadLetterNotFoundError)
    ),
    "recurring_id": _Parameter(recurring_id_field(required=True), _unknown(RecurringNotFoundError)),
    "key_id": _Parameter(key_id_field(required=True), _unknown(KeyNotFoundError)),
    "invitation_id": _Parameter(
        invitation_id_field(required=True), _unknown(InvitationNotFoundError)
    ),
}
"""The names that parameters have in every route."""


class MessageIdConverter(BaseConverter):
    """Takes message ids only: `/messages/{agent_id}` is another thing (SPEC M5)."""

    regex = re.sub(r"^\^|\$$", "", MESSAGE_ID_PATTERN)


def check_ids(app: Flask) -> None:
    """Have the ids in paths checked before any route sees them."""
    app.url_map.converters["message"] = MessageIdConverter

    @app.url_value_preprocessor
    def check(_endpoint: str | None, values: dict[str, Any] | None) -> None:
        for name, value in (values or {}).items():
            parameter = PARAMETERS.get(name)
            if parameter is None:
                continue
            try:
                parameter.form.deserialize(value)
            except ValidationError as error:
                problem = FieldProblem(field=name, message=str(error.messages[0]))
                raise parameter.refuse(value, problem) from None
