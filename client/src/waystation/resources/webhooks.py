"""Webhooks: where an agent's messages are posted as they come (SPEC T4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from waystation.answers import OneWebhook, Secret, Tried, Webhook
from waystation.blocking import Blocking, blocking
from waystation.resources.resource import AsyncResource
from waystation.transport import Call, at, given

_LONGEST_TEST_SECONDS: Final = 60
"""How long an endpoint may be given to answer."""


class AsyncWebhooks(AsyncResource):
    """Setting, testing and taking away an agent's webhook."""

    async def set(
        self,
        agent_id: str,
        url: str,
        *,
        timeout_seconds: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> OneWebhook:
        """Have an agent's messages posted to `url`, or change where and how.

        `secret` of the answer is what requests are signed with, shown where it is new; `None`
        where there was a webhook already.
        """
        body = given(url=url, timeout_seconds=timeout_seconds, headers=headers)
        call = Call(method="PUT", path=at("agents", agent_id, "webhook"), body=body)
        return await self._transport.ask(call, OneWebhook)

    async def get(self, agent_id: str) -> Webhook:
        """An agent's webhook and how its endpoint fares. Raises `WebhookNotFoundError`."""
        call = Call(method="GET", path=at("agents", agent_id, "webhook"))
        return (await self._transport.ask(call, OneWebhook)).webhook

    async def delete(self, agent_id: str) -> None:
        """Take a webhook away; what comes from now on waits in the inbox."""
        await self._transport.ask(Call(method="DELETE", path=at("agents", agent_id, "webhook")))

    async def rotate_secret(self, agent_id: str, *, overlap_seconds: float | None = None) -> Secret:
        """Replace the secret; for the overlap (a day if not given) requests carry both signatures.

        Not said again where the answer is lost: that would end the secret that the endpoint knows.
        """
        call = Call(
            method="POST",
            path=at("agents", agent_id, "webhook", "rotate-secret"),
            body=given(overlap_seconds=overlap_seconds),
            repeatable=False,
        )
        return await self._transport.ask(call, Secret)

    async def test(self, agent_id: str) -> Tried:
        """Have a signed `ping` posted now, and see what the endpoint answered."""
        call = Call(
            method="POST",
            path=at("agents", agent_id, "webhook", "test"),
            wait_seconds=_LONGEST_TEST_SECONDS,
        )
        return await self._transport.ask(call, Tried)


class BlockingWebhooks(Blocking[AsyncWebhooks]):
    """The blocking twin of `AsyncWebhooks`."""

    set = blocking(AsyncWebhooks.set)
    get = blocking(AsyncWebhooks.get)
    delete = blocking(AsyncWebhooks.delete)
    rotate_secret = blocking(AsyncWebhooks.rotate_secret)
    test = blocking(AsyncWebhooks.test)
