"""Puts together what tells callers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from broker.kernel.clock import Clock
from broker.security.api_keys import ApiKeys
from broker.security.enrolment import Enrolment, RegistrationPolicy
from broker.security.identities import Identities, Opener
from broker.security.invitation_store import InvitationStore
from broker.security.invitations import Invitations
from broker.security.key_store import KeyStore
from broker.security.key_use import KeyUse
from broker.storage.connection import Redis
from broker.storage.keys import Keys
from config.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who may come in: what tells callers, and what decides who they may be."""

    identities: Identities
    keys: ApiKeys
    invitations: Invitations
    enrolment: Enrolment


def build_identity(settings: Settings, redis: Redis, keys: Keys, clock: Clock) -> Identity:
    """Put together what tells callers."""
    store = KeyStore(redis, keys, activity_cap=settings.activity_max_events)
    api_keys = ApiKeys(store, KeyUse(store.note_use), clock)
    invitations = Invitations(
        InvitationStore(redis, keys, activity_cap=settings.activity_max_events), clock
    )
    return Identity(
        identities=Identities(
            (api_keys.opened_by, *signed_tokens(settings)),
            required=settings.auth_required,
            admin_token=settings.admin_token,
            clock=clock,
        ),
        keys=api_keys,
        invitations=invitations,
        enrolment=Enrolment(RegistrationPolicy(settings.registration), api_keys, invitations),
    )


def signed_tokens(settings: Settings) -> Iterator[Opener]:
    """What signed tokens are checked by, if the settings say so."""
    pem, url = settings.jwt_public_key, settings.jwt_jwks_url
    if pem is None and url is None:
        return
    # The cryptography behind them takes megabytes in each process, which few stations need.
    from broker.security.published_keys import PublishedKeys, fetch_from  # noqa: PLC0415
    from broker.security.signed_tokens import SignedTokens, the_one_key  # noqa: PLC0415

    find_key = the_one_key(pem) if pem is not None else PublishedKeys(fetch_from(str(url))).find
    checked = SignedTokens(find_key, issuer=settings.jwt_issuer, audience=settings.jwt_audience)
    yield checked.opened_by
