"""Puts the broker together, part by part."""

from __future__ import annotations

from functools import partial

from broker.delivery.client import WebhookClient
from broker.delivery.dialler import AddressBook
from broker.delivery.gone import Farewell
from broker.delivery.posting import Posting
from broker.delivery.push import Pushing
from broker.delivery.pusher import Pusher
from broker.delivery.store import WebhookStore
from broker.delivery.webhooks import Webhooks
from broker.directory.agents import Agents
from broker.directory.discovery.discovery import Discovery
from broker.directory.roll import RollCall
from broker.directory.store import AgentStore
from broker.kernel.aside import Aside
from broker.kernel.clock import Clock, system_clock
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
from broker.operations.store import OperationsStore
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
from broker.security.rate_limits import RateLimits
from broker.storage.connection import Redis, connect, subscriber
from broker.storage.doorbell import DELIVERY_JOB, ROUTING_JOB, Doorbell
from broker.storage.errands import Errands
from broker.storage.keys import Keys
from broker.storage.migrations import migrate
from broker.storage.timetable import Timetable
from broker.wiring.broker import Broker
from broker.wiring.identity import build_identity
from broker.wiring.policies import discovery_policy, message_policy, presence_policy, webhook_policy
from config.settings import Settings


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
    presence = presence_policy(settings)
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
        stale_after_ms=presence.stale_after_ms,
        offline_after_ms=presence.offline_after_ms,
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
            # A message is accepted once it is on disk. To wake the router takes two more trips and
            # a job; who is killed before leaves its messages to the next sweep.
            ring=Aside("bell-ringer", doorbell.ring).add if answers_first else doorbell.ring,
        ),
        relations=relations,
        clock=clock,
    )
    archive = MessageArchive(records, inbox_store, visibility, clock)
    processes = Processes(redis, keys, clock)
    measurements = OperationsStore(
        redis,
        keys,
        presence,
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
            policy=discovery_policy(settings),
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
                outgoing,
                retention_ms=policy.retention_ms,
                idempotency_ms=policy.idempotency_ms,
                activity_cap=policy.activity_cap,
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
                offline_after_ms=presence.offline_after_ms,
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
