"""The composition root: the only place where the broker's parts are put together."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from broker.delivery.breaker import BreakerPolicy
from broker.delivery.client import WebhookClient
from broker.delivery.dialler import AddressBook
from broker.delivery.gone import Farewell
from broker.delivery.posting import Posting
from broker.delivery.push import Pushing
from broker.delivery.pusher import Pusher
from broker.delivery.store import WebhookStore
from broker.delivery.webhook import WebhookPolicy
from broker.delivery.webhooks import Webhooks
from broker.directory.agents import Agents
from broker.directory.discovery.discovery import Discovery, DiscoveryPolicy
from broker.directory.roll import RollCall
from broker.directory.store import AgentStore
from broker.kernel.clock import Clock, seconds_to_ms, system_clock
from broker.kernel.errors import StorageUnavailableError
from broker.messaging.admissions import Admissions
from broker.messaging.arrivals import Arrivals
from broker.messaging.claim_ends import ClaimEnds
from broker.messaging.claim_store import ClaimStore
from broker.messaging.claims import Claims
from broker.messaging.composition import Composition
from broker.messaging.conversation_store import ConversationStore
from broker.messaging.conversations import Conversations
from broker.messaging.dead_letters import DeadLetters
from broker.messaging.inbox import Inboxes
from broker.messaging.inbox_store import InboxStore
from broker.messaging.offers import Offers
from broker.messaging.outgoing_store import OutgoingStore
from broker.messaging.policy import MessagePolicy
from broker.messaging.queue import MessageQueue, Neighbours
from broker.messaging.receipts import MessageArchive
from broker.messaging.record_store import RecordStore
from broker.messaging.recurring import RecurringMessages
from broker.messaging.recurring_store import RecurringStore
from broker.messaging.refusals import Refusals
from broker.messaging.relations import Relations
from broker.messaging.settlement import Settlement
from broker.messaging.ticket_store import TicketStore
from broker.messaging.tickets import Tickets
from broker.messaging.verdict_store import VerdictStore
from broker.messaging.visibility import Visibility
from broker.messaging.withdrawal import Withdrawals
from broker.operations.activity_store import ActivityStore
from broker.operations.alerts import Alerts
from broker.operations.monitor import Health
from broker.operations.processes import Processes, Role
from broker.operations.readiness import Readiness
from broker.operations.stats import Stats
from broker.operations.store import OperationsStore, PresencePolicy
from broker.operations.watching import Watching
from broker.routing.audience import Memberships
from broker.routing.channel_members import ChannelMembers
from broker.routing.channel_store import ChannelStore
from broker.routing.channels import Channels
from broker.routing.pool_store import PoolStore
from broker.routing.reach import Reach
from broker.routing.round import Sources
from broker.routing.router import Router
from broker.routing.store import RoutingStore
from broker.routing.targets import parse
from broker.security.api_keys import ApiKeys
from broker.security.enrolment import Enrolment, RegistrationPolicy
from broker.security.identities import Identities, Opener
from broker.security.invitation_store import InvitationStore
from broker.security.invitations import Invitations
from broker.security.key_store import KeyStore
from broker.security.key_use import KeyUse
from broker.security.rate_limits import RateLimits
from broker.storage.bell_ringer import BellRinger
from broker.storage.connection import Redis, connect, subscriber
from broker.storage.doorbell import DELIVERY_JOB, ROUTING_JOB, Doorbell
from broker.storage.errands import Errands
from broker.storage.keys import Keys
from broker.storage.migrations import migrate
from broker.storage.timetable import Timetable
from config.settings import Settings

_RETRY_SECONDS: Final = 0.5

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who may come in: what tells callers, and what decides who they may be."""

    identities: Identities
    keys: ApiKeys
    invitations: Invitations
    enrolment: Enrolment


@dataclass(frozen=True, kw_only=True)
class Broker:
    """The domain, ready to use; every process of the station builds one."""

    keys: Keys
    redis: Redis
    jobs: Redis
    doorbell: Doorbell
    identity: Identity
    agents: Agents
    discovery: Discovery
    queue: MessageQueue
    inboxes: Inboxes
    arrivals: Arrivals
    archive: MessageArchive
    tickets: Tickets
    conversations: Conversations
    channels: Channels
    claims: Claims
    withdrawals: Withdrawals
    dead_letters: DeadLetters
    settlement: Settlement
    recurring: RecurringMessages
    router: Router
    webhooks: Webhooks
    pusher: Pusher
    processes: Processes
    stats: Stats
    health: Health
    readiness: Readiness
    watching: Watching
    rate_limits: RateLimits

    def prepare(self) -> None:
        """Bring the data to this version. Raises `DataVersionError`, `StorageUnavailableError`."""
        migrate(self.redis, self.keys)
        self.agents.ensure_built_in()

    def prepare_patiently(self, stop: threading.Event) -> bool:
        """Prepare as soon as Redis is there; False if `stop` was set first.

        Raises `DataVersionError`.
        """
        waiting = False
        while not stop.is_set():
            try:
                self.prepare()
            except StorageUnavailableError as error:
                if not waiting:
                    _log.warning("station.waits_for_redis", error=error.detail)
                waiting = True
                stop.wait(_RETRY_SECONDS)
            else:
                return True
        return False


def message_policy(settings: Settings) -> MessagePolicy:
    """The limits of the settings, in the domain's units."""
    return MessagePolicy(
        max_body_bytes=settings.max_body_bytes,
        max_depth=settings.queue_max_depth,
        ttl_ms=seconds_to_ms(settings.message_ttl_seconds),
        max_ttl_ms=seconds_to_ms(settings.message_max_ttl_seconds),
        retention_ms=seconds_to_ms(settings.retention_seconds),
        idempotency_ms=seconds_to_ms(settings.idempotency_seconds),
        lease_ms=seconds_to_ms(settings.lease_seconds),
        max_lease_ms=seconds_to_ms(settings.lease_max_seconds),
        retry_delay_ms=seconds_to_ms(settings.retry_delay_seconds),
        retry_max_delay_ms=seconds_to_ms(settings.retry_max_delay_seconds),
        max_attempts=settings.max_attempts,
        dead_letter_retry_ms=seconds_to_ms(settings.dead_letter_retry_seconds),
        dead_letter_max_retries=settings.dead_letter_max_retries,
        dead_letter_retention_ms=seconds_to_ms(settings.dead_letter_retention_seconds),
        activity_cap=settings.activity_max_events,
    )


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


def webhook_policy(settings: Settings) -> WebhookPolicy:
    """What the settings say of webhooks, in the domain's units."""
    return WebhookPolicy(
        timeout_ms=seconds_to_ms(settings.webhook_timeout_seconds),
        allow_private=settings.webhook_allow_private,
        breaker=BreakerPolicy(
            failures=settings.breaker_failures,
            open_ms=seconds_to_ms(settings.breaker_open_seconds),
        ),
    )


def build_broker(
    settings: Settings, *, clock: Clock = system_clock, answers_first: bool = False
) -> Broker:
    """Put the broker together. Connects lazily: Redis may come later, or go and come back.

    A broker that `answers_first` wakes the router after its caller has gone on; such a process must
    not fork once it has sent a message.
    """
    if settings.redis_url is None:
        raise ValueError("the settings name no Redis")
    policy = message_policy(settings)
    keys = Keys(settings.namespace, settings.partitions)
    redis = Redis(partial(connect, settings.redis_url))
    jobs = Redis(connect(settings.jobs_redis_url or settings.redis_url))
    doorbell = Doorbell(jobs, keys, pool=Role.ROUTING, job=ROUTING_JOB)
    delivery_doorbell = Doorbell(jobs, keys, pool=Role.DELIVERY, job=DELIVERY_JOB)
    records = RecordStore(redis, keys)
    outgoing = OutgoingStore(redis, keys, policy)
    inbox_store = InboxStore(redis, keys, policy)
    register = AgentStore(redis, keys, activity_cap=policy.activity_cap)
    channel_store = ChannelStore(redis, keys, activity_cap=policy.activity_cap)
    rolls = RollCall(register)
    channel_members = ChannelMembers(channel_store, register.registered_at, rolls)
    visibility = Visibility(inbox_store, channel_members.readable)
    relations = Relations(redis, keys, policy)
    admissions = Admissions(outgoing.admissions)
    arrivals = Arrivals(subscriber(settings.redis_url), keys)

    agents = Agents(
        register,
        clock=clock,
        stale_after_ms=seconds_to_ms(settings.stale_after_seconds),
        offline_after_ms=seconds_to_ms(settings.offline_after_seconds),
        # The two contexts need each other; inboxes are not there yet.
        session_ended=lambda agent, silent_ms: inboxes.return_all(agent, silent_ms=silent_ms),
        deleted=lambda agent: (inboxes.bury_all(agent), webhook_store.remove(agent)),
        admission_changed=admissions.forget,
    )
    conversations = Conversations(ConversationStore(redis, keys), records, inbox_store, clock)
    memberships = Memberships(channel=channel_members.audience, refusal=channel_members.refusal)
    refusals = Refusals(agents.near_names)
    claim_store = ClaimStore(redis, keys, policy)
    offers = Offers(claim_store, inbox_store)
    claim_ends = ClaimEnds(claim_store, inbox_store, offers)
    inboxes = Inboxes(records, inbox_store, policy, arrivals, refusals=refusals, offers=offers)
    webhook_store = WebhookStore(redis, keys, activity_cap=policy.activity_cap)
    withdrawals = Withdrawals(records, outgoing, inbox_store, visibility, clock)
    dead_letters = DeadLetters(records, inbox_store, policy)
    queue = MessageQueue(
        records,
        outgoing,
        Composition(records, policy, visibility, parse),
        admissions,
        Neighbours(
            near_names=agents.near_names,
            refusals=Reach(rolls, memberships, agents.near_names).refusals,
            ring=BellRinger(doorbell.ring).ring if answers_first else doorbell.ring,
        ),
        relations=relations,
        clock=clock,
    )
    archive = MessageArchive(records, inbox_store, visibility, clock)
    processes = Processes(redis, keys, clock)
    measurements = OperationsStore(
        redis,
        keys,
        PresencePolicy(
            stale_after_ms=seconds_to_ms(settings.stale_after_seconds),
            offline_after_ms=seconds_to_ms(settings.offline_after_seconds),
            max_depth=policy.max_depth,
        ),
    )
    stats = Stats(measurements, processes)
    webhook_rules = webhook_policy(settings)
    addresses = AddressBook(allow_private=webhook_rules.allow_private)
    posting = Posting(WebhookClient(addresses), webhook_rules, clock)
    webhooks = Webhooks(
        webhook_store, agents, posting, addresses, policy=webhook_rules, clock=clock
    )
    return Broker(
        keys=keys,
        redis=redis,
        jobs=jobs,
        doorbell=doorbell,
        identity=build_identity(settings, redis, keys, clock),
        agents=agents,
        discovery=Discovery(
            redis,
            keys,
            agents,
            Errands(jobs, keys),
            policy=DiscoveryPolicy(
                roots=settings.discovery_roots or (),
                registers=settings.discovery_mode == "register",
                machine=socket.gethostname(),
            ),
            clock=clock,
        ),
        queue=queue,
        inboxes=inboxes,
        arrivals=arrivals,
        archive=archive,
        conversations=conversations,
        claims=Claims(
            records,
            claim_store,
            inbox_store,
            offers,
            claim_ends,
            refusals=refusals,
            visibility=visibility,
            policy=policy,
            clock=clock,
        ),
        tickets=Tickets(
            records,
            inbox_store,
            TicketStore(outgoing, policy),
            relations,
            queue,
            visibility=visibility,
            arrivals=arrivals,
            receipts=archive.receipts,
            refusals=refusals,
            clock=clock,
        ),
        channels=Channels(channel_store, channel_members, conversations, agents.near_names),
        withdrawals=withdrawals,
        dead_letters=dead_letters,
        settlement=Settlement(
            records,
            inbox_store,
            VerdictStore(redis, keys),
            dead_letters,
            claim_ends,
            policy=policy,
            clock=clock,
        ),
        recurring=RecurringMessages(
            RecurringStore(
                outgoing, retention_ms=policy.retention_ms, activity_cap=policy.activity_cap
            ),
            queue,
            Timetable(jobs, keys),
            clock,
        ),
        router=Router(
            RoutingStore(redis, keys, policy),
            doorbell,
            Sources(
                rolls=rolls,
                memberships=memberships,
                pools=PoolStore(redis, keys),
                offline_after_ms=seconds_to_ms(settings.offline_after_seconds),
                max_depth=policy.max_depth,
            ),
            clock,
            supersede=withdrawals.supersede,
            have_pushed=delivery_doorbell.ring,
        ),
        webhooks=webhooks,
        pusher=Pusher(
            webhook_store,
            delivery_doorbell,
            Pushing(
                webhook_store,
                inboxes,
                posting,
                webhook_rules,
                max_lease_ms=policy.max_lease_ms,
                gone=Farewell(webhooks, queue.send),
                clock=clock,
            ),
            clock,
        ),
        processes=processes,
        stats=stats,
        health=Health(measurements, stats, Alerts(measurements, queue.send)),
        readiness=Readiness(
            measurements,
            processes,
            check_data=lambda: migrate(redis, keys),
            check_jobs=lambda: jobs.command("PING"),
        ),
        watching=Watching(ActivityStore(redis, keys)),
        rate_limits=RateLimits(jobs, keys),
    )
