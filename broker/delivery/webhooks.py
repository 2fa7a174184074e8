"""Webhooks as their agents manage them: set, shown, removed, given new secrets, tried (SPEC T4)."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from broker.delivery.dialler import AddressBook, RefusedAddressError
from broker.delivery.endpoint import endpoint_of
from broker.delivery.posting import Posting
from broker.delivery.signature import WebhookSecret, new_secret
from broker.delivery.store import WebhookStore
from broker.delivery.verdict import Verdict
from broker.delivery.webhook import (
    Webhook,
    WebhookDefinition,
    WebhookNotFoundError,
    WebhookPolicy,
)
from broker.directory.agents import Agents
from broker.kernel.clock import MILLISECONDS, Clock
from broker.kernel.errors import FieldProblem, InvalidFieldsError, UnknownAgentError
from broker.kernel.ids import AgentId, MessageId, new_id
from broker.messaging.delivery import Delivered
from broker.messaging.message import Message

TEST_KIND: Final = "ping"
"""The kind of the message that `test` posts."""

_TRANSPORT: Final = "webhook"
_WITHOUT: Final = "pull"
_SYSTEM: Final = AgentId("system")
_TEST_LIFE_MS: Final = 60_000


@dataclass(frozen=True, kw_only=True)
class Set:
    """A webhook after it was set; the secret only where it is new."""

    webhook: Webhook
    secret: WebhookSecret | None = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What an endpoint answered to a test, and how long (ms) that took."""

    message_id: MessageId
    verdict: Verdict
    took_ms: int


class Webhooks:
    """The webhooks of agents; an agent has one at most."""

    def __init__(
        self,
        store: WebhookStore,
        agents: Agents,
        posting: Posting,
        book: AddressBook,
        *,
        policy: WebhookPolicy,
        clock: Clock,
    ) -> None:
        self._store = store
        self._agents = agents
        self._posting = posting
        self._book = book
        self.policy = policy
        self._clock = clock

    def set(self, agent: AgentId, definition: WebhookDefinition) -> Set:
        """Give an agent a webhook, or change its own, which keeps its secret.

        Raises `UnknownAgentError`; `InvalidFieldsError` for a URL to which the station would not
        post. A name that can't be resolved now may be later, so it is taken.
        """
        endpoint = endpoint_of(definition.url, allow_private=self.policy.allow_private)
        try:
            with suppress(
                OSError
            ):  # a name that can't be resolved now; each connection looks again
                self._book.addresses(endpoint.host, endpoint.port)
        except RefusedAddressError as error:
            raise InvalidFieldsError([FieldProblem(field="url", message=str(error))]) from None
        secret = new_secret()
        outcome = self._store.put(agent, definition, secret, self._clock())
        if outcome == "unknown_agent":
            raise UnknownAgentError([agent], self._agents.near_names(agent))
        self._agents.patch(agent, {"transport": _TRANSPORT})
        return Set(webhook=self.get(agent), secret=secret if outcome == "created" else None)

    def get(self, agent: AgentId) -> Webhook:
        """An agent's webhook. Raises `UnknownAgentError`, `WebhookNotFoundError`."""
        webhook = self._store.read(agent)
        if webhook is None:
            self._agents.get(agent)
            raise WebhookNotFoundError(f"Agent {agent} has no webhook.")
        return webhook

    def remove(self, agent: AgentId) -> None:
        """Take an agent's webhook away; its messages wait in the inbox. Raises as `get` does."""
        self.get(agent)
        self._store.remove(agent)
        self._no_longer_pushed(agent)

    def rotate(self, agent: AgentId, overlap_ms: int) -> WebhookSecret:
        """A new secret; for the overlap each request is signed with the old one as well.

        Raises as `get` does.
        """
        secret, now = new_secret(), self._clock()
        if not self._store.rotate(agent, secret, old_until=now + overlap_ms, now=now):
            self.get(agent)
        return secret

    def test(self, agent: AgentId) -> Tried:
        """Post a signed message of kind `ping` now; it changes nothing. Raises as `get` does."""
        webhook, now = self.get(agent), self._clock()
        partition = self._store.keys.partition_for(_SYSTEM)
        message = Message(
            id=MessageId(new_id("msg", at_ms=now, partition=partition)),
            sender=_SYSTEM,
            to=(agent,),
            created_at=now,
            expires_at=now + _TEST_LIFE_MS,
            kind=TEST_KIND,
            subject="A test of this webhook",
            body="If you can verify the signature of this, the webhook works.",
        )
        began = time.monotonic()
        with self._posting.to(webhook) as post:
            verdict = post(Delivered(message=message, lease=None, attempt=1))
        took_ms = round((time.monotonic() - began) * MILLISECONDS)
        return Tried(message_id=message.id, verdict=verdict, took_ms=took_ms)

    def disable(self, webhook: Webhook, because: str) -> None:
        """Turn a webhook off, until it is set again."""
        if self._store.disable(webhook, because, self._clock()):
            self._no_longer_pushed(webhook.agent_id)

    def _no_longer_pushed(self, agent: AgentId) -> None:
        if self._agents.get(agent).profile.transport == _TRANSPORT:
            self._agents.patch(agent, {"transport": _WITHOUT})
