"""Carrying out what a client's frames ask for, and what it is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final

from app.errors import MalformedError, problem, wait_seconds
from app.schemas import messages
from app.schemas.deliveries import ExtendedView, RejectedView, StateView
from app.schemas.messages import moment
from app.schemas.tickets import responded
from app.websocket import frames
from app.websocket.claims import NOT_TO_BE_HAD, ClaimAnswers
from app.websocket.client import Client
from app.websocket.endings import GARBLED, Ending, ending_by
from app.websocket.frames import (
    Claiming,
    Credit,
    Extend,
    Frame,
    Heartbeat,
    Hello,
    Nack,
    Ref,
    Release,
    Renew,
)
from app.websocket.sent import AliveView, CreditView
from broker.kernel.clock import rfc3339
from broker.kernel.errors import (
    BrokerError,
    ForbiddenError,
    InvalidFieldsError,
    MessageNotFoundError,
    StaleLeaseError,
    UnknownAgentError,
)
from broker.kernel.events import DeliveryState
from broker.messaging.delivery import Acknowledgement
from broker.messaging.message import Draft
from broker.messaging.ticket import Response
from broker.messaging.wire import LeaseView
from broker.wiring import Broker

Answer = dict[str, Any]
"""A frame to the client, ready to be encoded."""

View = Mapping[str, object]
"""What REST answers to the same."""

_BAD_FRAMES_AT_MOST: Final = 20
_NO_LONGER_HELD: Final = (StaleLeaseError, MessageNotFoundError)


def ok(ref: Ref | None, view: View) -> Answer:
    """The frame that says that what was asked for is done."""
    return {"type": "ok", **tied_to(ref), **view}


def refusal(ref: Ref | None, error: BrokerError, *, under: str = "") -> Answer:
    """The frame that says why what was asked for is not done, and when to ask for it again."""
    wait = {} if error.permanent else {"retry_after_seconds": wait_seconds(error)}
    return {"type": "error", **tied_to(ref), "problem": problem(error, under=under), **wait}


def tied_to(ref: Ref | None) -> Answer:
    """The member that ties an answer to its question."""
    return {} if ref is None else {"ref": ref}


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """A frame that was understood, and the `ref` of its answer."""

    ref: Ref | None
    frame: Frame


class Answers:
    """Carries out the frames of one client, in order.

    `ending` is set when one of them showed that the connection can't go on.
    """

    def __init__(self, broker: Broker, client: Client, begin: Callable[[], None]) -> None:
        """`begin` takes up the client's session; it raises the `BrokerError` that refuses it."""
        self.ending: Ending | None = None
        self._broker = broker
        self._client = client
        self._begin = begin
        self._claims = ClaimAnswers(broker.claims, client)
        self._bad_frames = 0

    def to(self, waiting: Sequence[str | bytes]) -> list[Answer]:
        """Carry out all of `waiting`, even if the client has gone; an answer each, in order.

        A hello is answered by the server's own, when it begins.
        """
        answers: list[Answer] = []
        understood = [self._understood(text) for text in waiting]
        for together, run in groupby(understood, _is_acknowledgement):
            if together:
                answers += self._acknowledge([one for one in run if isinstance(one, _Asked)])
                continue
            for one in run:
                answer = self._answer(one) if isinstance(one, _Asked) else one
                if answer is not None:
                    answers.append(answer)
        return answers

    def _understood(self, text: str | bytes) -> _Asked | Answer:
        """What a frame asks for, or the refusal of one that makes no sense."""
        ref: Ref | None = None
        try:
            document = frames.parse(text)
            ref = frames.ref_of(document)
            frame = frames.read(document, self._client.agent)
        except (MalformedError, InvalidFieldsError, ForbiddenError) as error:
            self._bad_frames += 1
            if self._bad_frames >= _BAD_FRAMES_AT_MOST:
                self.ending = GARBLED
            return refusal(ref, error)
        self._bad_frames = 0
        return _Asked(ref=ref, frame=frame)

    def _acknowledge(self, asked: Sequence[_Asked]) -> list[Answer]:
        """Finish what follows each other's acknowledgement in one call."""
        done = [one.frame for one in asked if isinstance(one.frame, Acknowledgement)]
        client = self._client
        try:
            self._ensure_begun()
            verdicts = self._broker.inboxes.acknowledge_many(client.agent, done, epoch=client.epoch)
        except BrokerError as error:
            return [self._refused(one, error) for one in asked]
        answers = []
        for one, acknowledged, verdict in zip(asked, done, verdicts, strict=True):
            if verdict is None:
                client.window.finish(acknowledged.message_id, acknowledged.token)
                state = DeliveryState.ACKNOWLEDGED.value
                view = StateView(id=acknowledged.message_id, status=state)
                answers.append(ok(one.ref, view))
            else:
                answers.append(self._refused(one, verdict))
        return answers

    def _answer(self, asked: _Asked) -> Answer | None:
        try:
            if isinstance(asked.frame, Hello):
                self._client.greet(asked.frame, asked.ref)
                return None
            self._ensure_begun()
            self._client.spend()
            return ok(asked.ref, self._carry_out(asked.frame))
        except BrokerError as error:
            return self._refused(asked, error)

    def _refused(self, asked: _Asked, error: BrokerError) -> Answer:
        frame = asked.frame
        if isinstance(frame, Draft):
            # An unknown agent is the recipient here, not the one that is connected.
            if not isinstance(error, UnknownAgentError):
                self.ending = ending_by(error) or self.ending
            return refusal(asked.ref, error, under="message")
        self.ending = ending_by(error) or self.ending
        if isinstance(error, _NO_LONGER_HELD):
            match frame:
                case Acknowledgement(message_id=message, token=token):
                    self._client.window.finish(message, token)
                case (
                    Nack(id=message, lease_token=token)
                    | Extend(id=message, lease_token=token)
                    | Renew(id=message, lease_token=token)
                    | Release(id=message, lease_token=token)
                ):
                    self._client.window.finish(message, token)
                case Response(ticket_id=message, lease_token=held) if held is not None:
                    self._client.window.finish(message, held)
        if isinstance(frame, Claiming) and isinstance(error, NOT_TO_BE_HAD):
            self._client.window.lose(frame.id)
        return refusal(asked.ref, error)

    def _ensure_begun(self) -> None:
        if not self._client.begun:
            self._begin()

    def _carry_out(self, frame: Frame) -> View:
        match frame:
            case Nack():
                return self._reject(frame)
            case Extend():
                return self._extend(frame)
            case Claiming() | Renew() | Release():
                return self._claims.carry_out(frame)
            case Draft() | Response():
                return self._post(frame)
            case Heartbeat():
                return self._heartbeat(frame)
            case Credit():
                self._client.window.widen(frame.more)
                return CreditView(credit=self._client.window.credit)
            case _:
                raise TypeError(frame)

    def _reject(self, nack: Nack) -> View:
        client = self._client
        rejected = self._broker.inboxes.reject(
            client.agent,
            nack.id,
            nack.lease_token,
            reason=nack.reason,
            delay_ms=nack.delay_ms,
            permanent=nack.permanent,
            epoch=client.epoch,
        )
        client.window.finish(nack.id, nack.lease_token)
        return RejectedView(
            id=nack.id,
            status=rejected.state.value,
            next_attempt_at=moment(rejected.next_attempt_at),
        )

    def _extend(self, extend: Extend) -> View:
        client = self._client
        ends_at = self._broker.inboxes.extend(
            client.agent,
            extend.id,
            extend.lease_token,
            lease_ms=extend.lease_ms,
            epoch=client.epoch,
        )
        client.window.extend(extend.id, extend.lease_token, ends_at)
        lease = LeaseView(token=extend.lease_token, expires_at=rfc3339(ends_at))
        return ExtendedView(id=extend.id, lease=lease)

    def _post(self, post: Draft | Response) -> View:
        client = self._client
        if isinstance(post, Response):
            return self._reply(post)
        signed = replace(post, epoch=post.epoch or client.epoch)
        return messages.accepted(self._broker.queue.send(signed, client.standing.viewer))

    def _reply(self, response: Response) -> View:
        client = self._client
        replied = self._broker.tickets.reply(replace(response, epoch=client.epoch))
        client.window.finish(response.ticket_id, response.lease_token)
        return responded(response.ticket_id, replied)

    def _heartbeat(self, heartbeat: Heartbeat) -> View:
        client = self._client
        agent = self._broker.agents.heartbeat(
            client.agent,
            instance_id=client.instance_id,
            epoch=client.epoch,
            status=heartbeat.status,
        )
        return AliveView(agent_id=agent.id, epoch=agent.epoch)


def _is_acknowledgement(understood: _Asked | Answer) -> bool:
    return isinstance(understood, _Asked) and isinstance(understood.frame, Acknowledgement)
