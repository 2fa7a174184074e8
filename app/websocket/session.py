"""One agent's connection, from its first frame to its last."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from typing import Final

import structlog
from simple_websocket import ConnectionClosed

from app.json_document import encoded
from app.websocket.answers import Answer, Answers, refusal, tied_to
from app.websocket.channel import Channel
from app.websocket.client import Client
from app.websocket.connections import Connections
from app.websocket.endings import FAILED, Ending, ending_by
from broker.kernel.clock import system_clock
from broker.kernel.errors import BrokerError, StaleEpochError, StorageUnavailableError
from broker.messaging import wire
from broker.messaging.delivery import Acknowledgement, Delivered, Wanted
from broker.wiring import Broker

_PUSH_AT_ONCE: Final = 100
_RECHECK_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What holds for every connection: the time for a hello, and that between heartbeats."""

    hello_seconds: float
    heartbeat_seconds: float


class _Ended(Exception):  # noqa: N818 - a decision, not an error
    """The connection is to be closed."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.reason)
        self.ending = ending


class _Inbox:
    """Whether the inbox may hold something to push; told so by arrivals, wakes the session.

    An arrival may go unheard while its listener reconnects, so the session also looks by itself.
    """

    def __init__(self, changed: threading.Event) -> None:
        self._changed = changed
        self.may_hold_more = True

    def set(self) -> None:
        """Something has arrived."""
        self.may_hold_more = True
        self._changed.set()


class Session:
    """Pushes an agent's messages within its credit, and answers its frames.

    It takes turns: answer the frames that wait, push what the credit allows, then sleep until a
    frame or a message comes. So it needs no thread beside the one that reads the socket, and no
    lock. A client that does not read holds up only itself, and only until a send's time is over.
    """

    def __init__(
        self,
        channel: Channel,
        client: Client,
        broker: Broker,
        connections: Connections,
        terms: Terms,
    ) -> None:
        self.ended = threading.Event()
        self._channel = channel
        self._broker = broker
        self._connections = connections
        self._heartbeat_seconds = terms.heartbeat_seconds
        self._client = client
        self._answers = Answers(broker, client, self._begin)
        self._inbox = _Inbox(channel.changed)
        self._begin_at = time.monotonic() + terms.hello_seconds
        self._heartbeat_at = 0.0
        self._recheck_at = 0.0
        self._retry_at = 0.0
        self._ending: Ending | None = None
        self._log = _log.bind(agent=client.agent)

    def end(self, ending: Ending) -> None:
        """Close the connection at the next turn; returns at once."""
        self._ending = ending
        self._channel.changed.set()

    def abort(self) -> None:
        """End the connection without a word, whatever it is doing."""
        self._channel.abort()

    def run(self) -> None:
        """Serve the connection until it ends, whoever ends it."""
        self._connections.opened(self)
        ending: Ending | None = None
        try:
            with self._broker.arrivals.tell(self._client.agent, self._inbox):
                self._log.info("websocket.opened")
                self._take_turns()
        except _Ended as ended:
            ending = ended.ending
        except Exception:  # noqa: BLE001 - nobody above could still tell the client
            self._log.exception("websocket.failed")
            ending = FAILED
        finally:
            # First of all what others wait for: a client that hears of the end finds it done.
            self._give_back()
            self._connections.closed(self)
            self.ended.set()
            if ending is not None:
                self._close(ending)
            self._channel.release()

    def _close(self, ending: Ending) -> None:
        self._channel.close(ending.code, ending.reason)
        self._log.info("websocket.closed", by="server", code=int(ending.code), reason=ending.reason)

    def _give_back(self) -> None:
        """Return what nobody can resume; if that fails, the leases end by themselves."""
        held = self._client.window.to_give_back()
        try:
            self._broker.inboxes.give_back(self._client.agent, held)
        except BrokerError as error:
            self._log.warning("websocket.leases_left", count=len(held), error=error.detail)

    # --- turns ------------------------------------------------------------------------------

    def _take_turns(self) -> None:
        try:
            while True:
                self._turn()
        except ConnectionClosed:
            # What the client asked for before it left is done, though it hears no answer.
            self._answers.to(self._channel.last_frames())
            self._log.info("websocket.closed", by="client", code=self._channel.close_code)

    def _turn(self) -> None:
        waiting = self._channel.frames()
        for answer in self._answers.to(waiting):
            self._send(answer)
        ending = self._ending or self._answers.ending
        if ending is not None:
            raise _Ended(ending)
        self._advance()
        if not waiting:
            self._channel.changed.wait(self._idle_seconds())

    def _idle_seconds(self) -> float:
        """How long to sleep if nothing comes."""
        now = time.monotonic()
        if now < self._retry_at:
            return self._retry_at - now
        if not self._client.begun:
            return max(0.0, self._begin_at - now)
        return max(0.0, min(self._recheck_at, self._heartbeat_at) - now)

    def _advance(self) -> None:
        """Do what is due without being asked for."""
        now = time.monotonic()
        try:
            if now < self._retry_at:
                return
            if not self._client.begun:
                if now < self._begin_at and not self._client.greeted:
                    return
                self._begin()
            if now >= self._heartbeat_at:
                self._show_life()
                self._resume()
                self._heartbeat_at = now + self._heartbeat_seconds
            if now >= self._recheck_at:
                self._client.standing.check()
                self._inbox.may_hold_more = True
                # Spread, so that idle connections don't march in step.
                self._recheck_at = now + _RECHECK_SECONDS * random.uniform(0.8, 1)
            self._push()
        except StorageUnavailableError:
            self._retry_at = time.monotonic() + _RETRY_SECONDS
        except BrokerError as error:
            self._send(refusal(None, error))
            raise _Ended(ending_by(error) or FAILED) from error

    def _begin(self) -> None:
        """Take the agent's session up and say hello. Raises what refuses the session."""
        client = self._client
        agent = self._broker.agents.heartbeat(
            client.agent, instance_id=client.instance_id, epoch=client.epoch
        )
        if client.instance_id:
            if agent.instance_id not in (None, client.instance_id):
                # Registered between the check and the answer: that epoch is not ours to take.
                raise StaleEpochError(f"A newer session of {client.agent} has taken over.")
            client.epoch = client.epoch or agent.epoch
            self._connections.take_over(client.agent, client.instance_id, self)
        self._send(
            {"type": "hello", "agent_id": client.agent, "epoch": agent.epoch}
            | tied_to(client.greeting_ref)
        )
        client.begun = True
        self._heartbeat_at = 0.0

    def _show_life(self) -> None:
        client = self._client
        self._broker.agents.heartbeat(
            client.agent, instance_id=client.instance_id, epoch=client.epoch
        )

    # --- pushing ----------------------------------------------------------------------------

    def _resume(self) -> None:
        """Push again what is on lease for this client and was never pushed on this connection.

        An earlier connection of the instance had it, or Redis went away before it could answer a
        lease. What exceeds the credit goes back to the inbox, from where it comes in its turn.
        """
        client = self._client
        held = self._broker.inboxes.held(client.agent, client.holder, epoch=client.epoch)
        again = [one for one in held if one.lease and not client.window.holds(one.lease)]
        room = client.window.free(system_clock())
        self._broker.inboxes.give_back(
            client.agent,
            [
                Acknowledgement(message_id=one.lease.message_id, token=one.lease.token)
                for one in again[room:]
                if one.lease
            ],
        )
        self._push_all(again[:room])

    def _push(self) -> None:
        """Push what the credit allows, a hundred at a time; frames are answered in between."""
        client = self._client
        limit = min(client.window.free(system_clock()), _PUSH_AT_ONCE)
        if limit == 0 or not self._inbox.may_hold_more:
            return
        # Asked before the inbox is, so that what arrives meanwhile is not forgotten.
        self._inbox.may_hold_more = False
        try:
            delivered = self._broker.inboxes.lease(
                client.agent,
                Wanted(limit=limit),
                epoch=client.epoch,
                holder=client.holder,
            )
        except StorageUnavailableError:
            # It may have been carried out all the same.
            self._inbox.may_hold_more = True
            self._heartbeat_at = 0.0
            raise
        if len(delivered) == limit:
            self._inbox.set()
        self._push_all(delivered)

    def _push_all(self, delivered: list[Delivered]) -> None:
        # All are noted before the first is sent: if sending fails, those that didn't go out are
        # given back as well.
        for one in delivered:
            if one.lease:
                self._client.window.push(one.lease, kept=self._client.instance_id is not None)
        for one in delivered:
            self._send({"type": "message", "message": wire.delivered(one)})

    def _send(self, frame: Answer) -> None:
        self._channel.send(encoded(frame).decode())
