"""What a station answers, as types; a field that it leaves out is None.

Generated from its OpenAPI document (client/tools/answers.py); don't edit.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct


class Accepted(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What a sender gets whose message is on disk."""

    accepted_at: datetime
    created: bool
    id: str
    status: str
    thread_id: str


class AgentProfile(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A registered agent; `status` is its presence, `reported_status` what it says of itself."""

    capabilities: list[str]
    cwd: str | None
    epoch: int
    id: str
    kind: str
    label: str | None
    last_seen: datetime | None
    machine: str | None
    meta: dict[str, Any]
    name: str | None
    on_full: str | None
    operating_mode: str | None
    parent: str | None
    queue_max_depth: int | None
    ready: bool
    registered_at: datetime
    reported_status: str | None
    status: str
    tags: list[str]
    transport: str


class Agents(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A page of agents."""

    agents: list[AgentProfile]
    cursor: str | None

    @property
    def items(self) -> list[AgentProfile]:
        """What is on this page."""
        return self.agents


class Ages(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """How long the oldest message waits to be routed (accepted) and to be leased (queued)."""

    accepted: float | None
    queued: float | None


class Alert(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """An alert that stands."""

    alert: str
    severity: str
    since: datetime
    threshold: float
    value: float


class Alive(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The process answers."""

    status: str


class Attempt(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """How one attempt ended."""

    ended_at: datetime
    number: int
    outcome: str
    reason: str


class Breaker(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """Whether an endpoint is tried: closed, open (until `retry_at`), half_open (one attempt)."""

    failures: int
    retry_at: datetime | None
    state: str


class Channel(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A channel; without an owner, since that one was deleted, operators manage it."""

    created_at: datetime
    id: str
    members: int
    owner: str | None
    private: bool
    topic: str | None


class Channels(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A page of channels; the cursor is null at the end."""

    channels: list[Channel]
    cursor: str | None

    @property
    def items(self) -> list[Channel]:
        """What is on this page."""
        return self.channels


class Claim(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """Who has claimed a message: `open`, `claimed` until a time, or `done`."""

    agent_id: str | None
    expires_at: datetime | None
    id: str
    status: str


class Closed(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A dead letter that was dealt with."""

    id: str
    status: str
    message_id: str | None = None


class Condition(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """Something beyond its threshold."""

    alert: str
    severity: str
    threshold: float
    value: float


class DirectConversation(Struct, kw_only=True, frozen=True, omit_defaults=True):
    channel: str
    last_message_at: datetime
    last_message_id: str
    unread: int
    unread_at_least: bool
    with_: str = msgspec.field(name='with')


class DirectConversations(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A page of direct conversations; the cursor is null at the end."""

    conversations: list[DirectConversation]
    cursor: str | None

    @property
    def items(self) -> list[DirectConversation]:
        """What is on this page."""
        return self.conversations


class Discovered(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """An agent that was found in a directory; its role becomes its label."""

    branch: str | None
    capabilities: list[str]
    change: str
    cwd: str
    id: str
    name: str
    role: str | None
    sources: list[str]
    tags: list[str]


class Enrolled(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A registered agent; a newcomer that had no key gets its own, this once."""

    agent: AgentProfile
    api_key: str | None = None


class EventItem(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What made the move: a message, a recipient's copy of one, an agent, or something else."""

    agent_id: str | None = None
    id: str | None = None
    message_id: str | None = None


class InboxDepth(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """How much stands in one inbox."""

    agent_id: str
    depth: int
    leased: int
    limit: int
    oldest_age_seconds: float | None
    queued: int
    waiting: int


class Invitation(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """An invitation without its token."""

    created_at: datetime
    created_by: str
    expires_at: datetime
    id: str
    pattern: str
    revoked_at: datetime | None
    status: str
    used: int
    uses: int


class Invitations(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A page of invitations; the cursor is null at the end."""

    cursor: str | None
    invitations: list[Invitation]

    @property
    def items(self) -> list[Invitation]:
        """What is on this page."""
        return self.invitations


class Invited(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """An invitation and its token: the only time that it is shown."""

    created_at: datetime
    created_by: str
    expires_at: datetime
    id: str
    pattern: str
    revoked_at: datetime | None
    status: str
    token: str
    used: int
    uses: int


class IssuedKey(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A key and its token: the only time that it is shown."""

    created_at: datetime
    created_by: str
    expires_at: datetime | None
    id: str
    last_used_at: datetime | None
    name: str
    revoked_at: datetime | None
    rotated_at: datetime | None
    scopes: list[str]
    status: str
    token: str


class Key(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A key without its secret, which nobody can be shown again."""

    created_at: datetime
    created_by: str
    expires_at: datetime | None
    id: str
    last_used_at: datetime | None
    name: str
    revoked_at: datetime | None
    rotated_at: datetime | None
    scopes: list[str]
    status: str


class Keys(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A page of keys; the cursor is null at the end."""

    cursor: str | None
    keys: list[Key]

    @property
    def items(self) -> list[Key]:
        """What is on this page."""
        return self.keys


class Latency(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """From acceptance to the first delivery, in ms."""

    average: float | None
    count: int
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None


class Lease(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The right to finish a delivery, fenced by its token."""

    expires_at: datetime
    token: str


class Member(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A member of a channel."""

    agent_id: str


class Members(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A page of members; the cursor is null at the end."""

    cursor: str | None
    members: list[Member]

    @property
    def items(self) -> list[Member]:
        """What is on this page."""
        return self.members


class NextTimes(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """When it will be sent, as far as is known."""

    next_times: list[datetime]


class Obstacle(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What could not be looked at, and why."""

    path: str
    reason: str


class OneAgent(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """One agent."""

    agent: AgentProfile


class Part(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A part of the station."""

    name: str
    status: str


class Presences(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """Agents by presence."""

    offline: int
    online: int
    stale: int


class Principal(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """Who asks, as the station knows it."""

    expires_at: datetime | None
    is_admin: bool
    is_operator: bool
    name: str
    scopes: list[str]


class ProblemField(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """One offending field."""

    field: str
    message: str


class Rates(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """How often a second, over the window; a window of 0 says that nothing is known yet."""

    accepted_per_second: float
    acknowledged_per_second: float
    error_rate: float
    failed_per_second: float
    leased_per_second: float
    queued_per_second: float
    replied_per_second: float
    window_seconds: float


class Read(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """When a message was first read."""

    id: str
    read_at: datetime


class Ready(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The station can do its work."""

    parts: list[Part]
    status: str


class Receipt(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What has become of a message for one recipient."""

    agent_id: str
    attempts: int
    delivered_at: datetime | None
    finished_at: datetime | None
    read_at: datetime | None
    routed_at: datetime | None
    status: str


class Receipts(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What has become of a message, recipient by recipient."""

    receipts: list[Receipt]


class RedisServer(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A Redis server; a memory limit of 0 is none."""

    append_only: bool
    append_only_ok: bool
    clients: int
    max_memory_bytes: int
    name: str
    used_memory_bytes: int


class RegisteredIds(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """Which agents are registered now."""

    registered: list[str]


class Rejected(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """Where a message stands that was given back."""

    id: str
    next_attempt_at: datetime | None
    status: str


class Released(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A message that is offered to all again."""

    id: str
    status: str


class Renewed(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A claim that was renewed."""

    claim: Lease
    id: str


class Responded(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A reply that is on disk."""

    accepted_at: datetime
    created: bool
    id: str
    status: str
    thread_id: str
    ticket_id: str


class Returned(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """How many leases were given back; those that were over are left as they are."""

    returned: int


class Scan(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A search was asked for."""

    status: str


class ScorePart(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A part of the score, with the value that it was made from."""

    score: float
    value: float
    weight: int


class Secret(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A new secret; it is never shown again."""

    secret: str


class Selector(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """Agents in each of all_of, in any of any_of, and in none of not."""

    all_of: list[str | Selector] | None = None
    any_of: list[str | Selector] | None = None
    not_: list[str | Selector] | None = msgspec.field(name='not', default=None)


class State(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """Where a message stands after a call."""

    id: str
    status: str


class StoredMessage(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A message with where it stands as a whole."""

    body: str | None
    channel: str | None
    claimable: bool
    correlation_id: str | None
    created_at: datetime
    deliver_at: datetime | None
    expects_reply: bool
    expires_at: datetime
    from_: str = msgspec.field(name='from')
    id: str
    kind: str
    meta: Any
    payload: Any
    priority: str | int
    reply_to: str | None
    status: str
    subject: str | None
    supersedes: str | None
    thread_id: str
    to: str | list[str | Selector] | Selector


class Thresholds(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The thresholds; rates and availability are shares from 0 to 1."""

    critical_error_rate: float
    critical_score: float
    minimum_deliveries: float
    resolve_after_seconds: float
    warning_availability: float
    warning_latency_seconds: float
    warning_score: float
    window_seconds: float


class Tried(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What an endpoint answered to a test: `answer` says how it began, or why there was none."""

    answer: str
    delivered: bool
    duration_ms: int
    webhook_id: str


class Turn(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What became of a scheduled time, or of `count` of them until `last_scheduled_at`."""

    at: datetime
    code: str | None
    count: int
    detail: str | None
    last_scheduled_at: datetime
    message_id: str | None
    outcome: str
    scheduled_at: datetime


class Webhook(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """An agent's webhook; `headers` are names, `status` is active or disabled (by a 410)."""

    agent_id: str
    breaker: Breaker
    changed_at: datetime
    created_at: datetime
    disabled_at: datetime | None
    disabled_because: str | None
    headers: list[str]
    last_failure: str | None
    last_failure_at: datetime | None
    last_success_at: datetime | None
    old_secret_until: str | None
    secret_rotated_at: datetime | None
    status: str
    timeout_seconds: float
    url: str


class Contents(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A message as its sender and operators see it."""

    body: str | None
    channel: str | None
    claimable: bool
    correlation_id: str | None
    created_at: datetime
    deliver_at: datetime | None
    expects_reply: bool
    expires_at: datetime
    from_: str = msgspec.field(name='from')
    id: str
    kind: str
    meta: Any
    payload: Any
    priority: str | int
    reply_to: str | None
    subject: str | None
    supersedes: str | None
    thread_id: str
    to: str | list[str | Selector] | Selector


class DeadLetter(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A delivery that died; its message is null where it is no longer stored."""

    agent_id: str
    attempts: int
    closed_at: datetime | None
    failed_at: datetime
    history: list[Attempt]
    id: str
    last_error: str
    message: Contents | None
    message_id: str
    next_retry_at: datetime | None
    reason: str
    resolution: str | None
    retry_count: int
    status: str


class DeadLetters(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A page of dead letters; the cursor is null at the end."""

    cursor: str | None
    dead_letters: list[DeadLetter]

    @property
    def items(self) -> list[DeadLetter]:
        """What is on this page."""
        return self.dead_letters


class Delivered(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A message as its recipient gets it."""

    attempt: int
    body: str | None
    channel: str | None
    created_at: datetime
    expires_at: datetime
    from_: str = msgspec.field(name='from')
    id: str
    kind: str
    lease: Lease | None
    meta: Any
    payload: Any
    priority: str | int
    reply_to: str | None
    subject: str | None
    thread_id: str
    to: str | list[str | Selector] | Selector
    claimable: bool | None = None
    correlation_id: str | None = None
    expects_reply: bool | None = None
    timeout_at: datetime | None = None


class Depth(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """How much is under way, and where most of it is."""

    deepest: list[InboxDepth]
    fullest_ratio: float
    inboxes: int
    total: int


class DirectMessage(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A direct message, and whether its recipient has seen it."""

    body: str | None
    channel: str | None
    claimable: bool
    correlation_id: str | None
    created_at: datetime
    deliver_at: datetime | None
    expects_reply: bool
    expires_at: datetime
    from_: str = msgspec.field(name='from')
    id: str
    kind: str
    meta: Any
    payload: Any
    priority: str | int
    read_at: datetime | None
    reply_to: str | None
    subject: str | None
    supersedes: str | None
    thread_id: str
    to: str | list[str | Selector] | Selector
    unread: bool


class DiscoveryReport(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What the last search on a machine found; if it is not complete, nothing counts as gone."""

    complete: bool
    found: list[Discovered]
    gone: list[Discovered]
    machine: str
    obstacles: list[Obstacle]
    scanned_at: datetime


class Event(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A move, by its past-tense name; `gap` says that events behind `after` may be missing."""

    event: str
    after: str | None = None
    at: datetime | None = None
    items: list[EventItem] | None = None


class Extended(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A lease that was prolonged."""

    id: str
    lease: Lease


class Health(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The health of the station now, and the alerts that stand."""

    alerts: list[Alert]
    at: datetime
    conditions: list[Condition]
    parts: dict[str, ScorePart]
    score: float


class HealthReport(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The health of the station at one moment."""

    at: datetime
    conditions: list[Condition]
    parts: dict[str, ScorePart]
    score: float


class History(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A page of health reports, newest first; the cursor is null at the end."""

    cursor: str | None
    reports: list[HealthReport]

    @property
    def items(self) -> list[HealthReport]:
        """What is on this page."""
        return self.reports


class Inbox(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The messages that an inbox gave."""

    messages: list[Delivered]


class Messages(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A page of messages; the cursor is null at the end."""

    cursor: str | None
    messages: list[StoredMessage]

    @property
    def items(self) -> list[StoredMessage]:
        """What is on this page."""
        return self.messages


class OneWebhook(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """One webhook; with its secret where that is new. It is never shown again."""

    webhook: Webhook
    secret: str | None = None


class OwedTicket(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A ticket that an agent has yet to answer."""

    delivered_at: datetime | None
    message: Contents
    status: str
    ticket_id: str
    timeout_at: datetime | None


class OwedTickets(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A page of what an agent owes, soonest timeout first; the cursor is null at the end."""

    cursor: str | None
    tickets: list[OwedTicket]

    @property
    def items(self) -> list[OwedTicket]:
        """What is on this page."""
        return self.tickets


class Problem(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A problem document."""

    code: str
    detail: str
    errors: list[ProblemField]
    status: int
    title: str
    type: str


class Recurring(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A recurring message: what it says, when, and how far it is."""

    body: str | None
    channel: str | None
    created_at: datetime
    ended_at: datetime | None
    expires_at: datetime | None
    failed: int
    from_: str = msgspec.field(name='from')
    id: str
    kind: str
    meta: Any
    missed: int
    next_at: datetime | None
    payload: Any
    policy: str
    priority: str | int
    schedule: str
    sent: int
    status: str
    subject: str | None
    thread_id: str | None
    timezone: str
    to: str | list[str | Selector] | Selector


class RecurringHistory(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A page of the history; the cursor is null at the end."""

    cursor: str | None
    history: list[Turn]

    @property
    def items(self) -> list[Turn]:
        """What is on this page."""
        return self.history


class RecurringList(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A page of recurring messages; the cursor is null at the end."""

    cursor: str | None
    recurring: list[Recurring]

    @property
    def items(self) -> list[Recurring]:
        """What is on this page."""
        return self.recurring


class Reply(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """
    A reply. Once its retention has passed, who gave it is all that is left.

        `response` is the payload, or the body where there is none.
    """

    agent_id: str
    id: str
    message: Contents | None
    responded_at: datetime
    response: Any | str | None


class Stats(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The station in numbers; final states, totals and `latency_ms` count since its start."""

    agents: Presences
    dead_letters: int
    depth: Depth
    latency_ms: Latency
    measured_at: datetime
    oldest_age_seconds: Ages
    processes: dict[str, int]
    rates: Rates
    recent_latency_ms: Latency
    redis: list[RedisServer]
    states: dict[str, int]
    totals: dict[str, int]


class Ticket(Struct, kw_only=True, frozen=True, omit_defaults=True):
    correlation_id: str
    created_at: datetime
    cursor: str | None
    delivered_at: datetime | None
    from_: str = msgspec.field(name='from')
    late: bool
    replies: list[Reply]
    reply_count: int
    responded_at: datetime | None
    status: str
    thread_id: str
    ticket_id: str
    timeout_at: datetime | None
    to: str | list[str | Selector] | Selector


class Acknowledgement(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """An acknowledgement that was taken, or refused with the problem."""

    id: str
    problem: Problem | None = None
    status: str | None = None


class Asked(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """
    A question that is on disk; with the ticket as it stands, if the call waited for a reply.

        `ticket_id` is null where no reply is expected.
    """

    accepted_at: datetime
    created: bool
    id: str
    status: str
    thread_id: str
    ticket_id: str | None
    ticket: Ticket | None = None


class BatchResult(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A message of a batch: accepted as one that is sent alone, or rejected with the problem."""

    status: str
    accepted_at: datetime | None = None
    created: bool | None = None
    id: str | None = None
    problem: Problem | None = None
    thread_id: str | None = None


class ChannelHistory(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A page of what was posted, in order; the cursor leads to what came before it."""

    cursor: str | None
    messages: list[Contents]

    @property
    def items(self) -> list[Contents]:
        """What is on this page."""
        return self.messages


class Claimed(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A message that is the caller's now: finish it by the claim's token."""

    claim: Lease
    id: str
    message: Delivered


class ClosedResult(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A dead letter that was dealt with, or could not be because of the problem."""

    id: str
    problem: Problem | None = None
    status: str | None = None


class DirectHistory(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A page of a conversation in order; the cursor leads to what came before it."""

    cursor: str | None
    messages: list[DirectMessage]

    @property
    def items(self) -> list[DirectMessage]:
        """What is on this page."""
        return self.messages


class Discovery(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The last report of each machine."""

    reports: list[DiscoveryReport]


class Replies(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A page of a ticket's replies; the cursor is null at the end."""

    cursor: str | None
    late: bool
    replies: list[Reply]
    reply_count: int
    responded_at: datetime | None
    status: str
    ticket_id: str
    timeout_at: datetime | None

    @property
    def items(self) -> list[Reply]:
        """What is on this page."""
        return self.replies


class Acknowledged(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What became of each acknowledgement, in order."""

    results: list[Acknowledgement]


class Batch(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What became of each message of a batch, in order."""

    results: list[BatchResult]


class ClosedMany(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What became of each dead letter that matched."""

    results: list[ClosedResult]
