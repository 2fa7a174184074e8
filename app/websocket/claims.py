"""Carrying out what a client asks for about messages that are offered to several (SPEC R3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.schemas import claims as views
from app.websocket.client import Client
from app.websocket.frames import Claiming, Release, Renew
from broker.kernel.errors import MessageNotFoundError
from broker.messaging.claims import ClaimDoneError, ClaimHeldError, Claims, NotClaimableError

NOT_TO_BE_HAD: Final = (ClaimHeldError, ClaimDoneError, NotClaimableError, MessageNotFoundError)
"""Refusals after which the offer no longer stands before the client, nor takes of its credit."""


class ClaimAnswers:
    """Carries out `claim`, `renew` and `release`; what is answered is what REST answers.

    A claim takes the place of its offer in the client's window.
    """

    def __init__(self, claims: Claims, client: Client) -> None:
        self._claims = claims
        self._client = client

    def carry_out(self, frame: Claiming | Renew | Release) -> Mapping[str, object]:
        """Do what the frame says. Raises what `Claims` does."""
        match frame:
            case Claiming():
                return self._claim(frame)
            case Renew():
                return self._renew(frame)
            case Release():
                return self._release(frame)

    def _claim(self, claiming: Claiming) -> views.ClaimedView:
        client = self._client
        held = self._claims.claim(
            client.agent,
            claiming.id,
            claim_ms=claiming.claim_ms,
            epoch=client.epoch,
            holder=client.holder,
        )
        if held.lease is not None:
            client.window.push(held.lease, kept=client.instance_id is not None)
        return views.claimed(held)

    def _renew(self, renew: Renew) -> views.RenewedView:
        client = self._client
        ends_at = self._claims.renew(
            client.agent, renew.id, renew.lease_token, claim_ms=renew.claim_ms, epoch=client.epoch
        )
        client.window.extend(renew.id, renew.lease_token, ends_at)
        return views.renewed(renew.id, renew.lease_token, ends_at)

    def _release(self, release: Release) -> views.ReleasedView:
        client = self._client
        self._claims.release(client.agent, release.id, release.lease_token, epoch=client.epoch)
        client.window.finish(release.id, release.lease_token)
        return views.released(release.id)
