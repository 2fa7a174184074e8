"""Every Redis key of the station, and nowhere else.

Keys carry a hash tag `{<namespace>:p<NN>}`, so that all that one script touches lies in one slot
of a Redis Cluster. A message lives in its sender's partition, an inbox in its recipient's.
`docs/redis-schema.md` is generated from the decorations below.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from broker.kernel.ids import (
    AgentId,
    ChannelId,
    InvitationId,
    KeyId,
    MessageId,
    Partition,
    RecurringId,
    partition_for,
    partition_of,
)

_Method = TypeVar("_Method", bound=Callable[..., str])


@dataclass(frozen=True, kw_only=True)
class KeyKind:
    """What the schema document says of one kind of key; the method's docstring is its meaning."""

    method: str
    type: str
    lifetime: str
    owner: str


CATALOGUE: Final[list[KeyKind]] = []


def _key(*, type: str, lifetime: str, owner: str) -> Callable[[_Method], _Method]:  # noqa: A002 - Redis's own word
    def register(method: _Method) -> _Method:
        CATALOGUE.append(KeyKind(method=method.__name__, type=type, lifetime=lifetime, owner=owner))
        return method

    return register


class Keys:
    """The names of one station's keys."""

    def __init__(self, namespace: str, partitions: int) -> None:
        self.namespace = namespace
        self.partitions = partitions
        self._tags = [f"{{{namespace}:p{number:02d}}}:" for number in range(partitions)]
        self._station = f"{{{namespace}}}:"

    def all_partitions(self) -> range:
        """The numbers of all partitions."""
        return range(self.partitions)

    def partition_for(self, name: str) -> Partition:
        """The partition of an agent or a thread."""
        return partition_for(name, self.partitions)

    def partition_of(self, identifier: str) -> Partition:
        """The partition that a message's, dead letter's or recurring message's id carries."""
        return partition_of(identifier, self.partitions)

    @staticmethod
    def _digest(text: str) -> str:
        """What stands in a key for text of the caller's, of whatever length and characters."""
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def _of_agent(self, agent: str) -> str:
        return self._tags[partition_for(agent, self.partitions)]

    def _of_id(self, identifier: str) -> str:
        return self._tags[partition_of(identifier, self.partitions)]

    # --- the sender's side: messages on their way -------------------------------------------

    @_key(type="string", lifetime="until retention after the last verdict", owner="messaging")
    def message(self, message: MessageId) -> str:
        """The immutable record of a message, msgpack."""
        return f"{self._of_id(message)}message:{message}"

    @_key(type="zset", lifetime="permanent", owner="messaging")
    def ingress(self, partition: Partition) -> str:
        """Accepted messages that stand in no inbox yet, by order (priority, then sequence)."""
        return f"{self._tags[partition]}ingress"

    @_key(type="zset", lifetime="permanent", owner="messaging")
    def delayed(self, partition: Partition) -> str:
        """Accepted messages that wait for their delivery time: `<priority>:<id>` by due ms."""
        return f"{self._tags[partition]}delayed"

    @_key(type="string", lifetime="permanent", owner="storage")
    def sequence(self, partition: Partition) -> str:
        """Counter behind queue order, lease tokens and ids made inside Redis."""
        return f"{self._tags[partition]}sequence"

    @_key(type="zset", lifetime="trimmed as records leave", owner="messaging")
    def history(self, partition: Partition) -> str:
        """Ids of the messages sent from this partition, by acceptance in ms; behind listings."""
        return f"{self._tags[partition]}history"

    @_key(type="hash", lifetime="permanent", owner="messaging")
    def sent(self, partition: Partition) -> str:
        """Per named recipient, how many messages of this partition were ever meant for it.

        Less `arrived` of the recipient's side, this is what is on its way: see admission.lua.
        """
        return f"{self._tags[partition]}sent"

    @_key(type="hash", lifetime="permanent", owner="messaging")
    def arrived(self, agent: AgentId) -> str:
        """Per sender's partition, how many of its messages reached this inbox."""
        return f"{self._of_agent(agent)}arrived:{agent}"

    @_key(type="string", lifetime="WAYSTATION_IDEMPOTENCY_SECONDS", owner="messaging")
    def idempotency(self, sender: AgentId, key: str) -> str:
        """Which message a sender's idempotency key stands for: `<message id> <fingerprint>`."""
        return f"{self._of_agent(sender)}idempotency:{sender}:{self._digest(key)}"

    @_key(type="string", lifetime="as long as the record", owner="messaging")
    def verdict(self, message: MessageId) -> str:
        """`<state> <ms>` of a message that was withdrawn before it was routed."""
        return f"{self._of_id(message)}verdict:{message}"

    @_key(type="set", lifetime="as long as the record", owner="routing")
    def audience(self, message: MessageId) -> str:
        """Whom a message to several was routed to."""
        return f"{self._of_id(message)}audience:{message}"

    @_key(
        type="hash", lifetime="while claimed; once done, longer than the record", owner="messaging"
    )
    def claim(self, message: MessageId) -> str:
        """Who has claimed a claimable message: agent_id, token, until (ms); done once finished."""
        return f"{self._of_id(message)}claim:{message}"

    @_key(type="zset", lifetime="until all who wait know that it is over", owner="messaging")
    def claims(self, partition: Partition) -> str:
        """Outbox: `<message id> <agent> <token>` of each claim, by its end in ms."""
        return f"{self._tags[partition]}claims"

    @_key(type="set", lifetime="until the last verdict", owner="routing")
    def outstanding(self, message: MessageId) -> str:
        """Recipients of a message to several that have no verdict yet."""
        return f"{self._of_id(message)}outstanding:{message}"

    @_key(type="zset", lifetime="as long as its newest message", owner="messaging")
    def thread(self, thread: str) -> str:
        """Ids of a conversation's messages after the first, by acceptance in ms."""
        return f"{self._of_agent(thread)}thread:{thread}"

    @_key(type="zset", lifetime="as long as the ticket can last", owner="messaging")
    def replies(self, ticket: MessageId) -> str:
        """`<reply id> <sender>` of what answers a ticket, by acceptance in ms.

        Negative until the reply is known to be stored: see messaging/relations.py.
        """
        return f"{self._of_id(ticket)}replies:{ticket}"

    @_key(type="string", lifetime="1 s", owner="storage")
    def bell(self, partition: Partition) -> str:
        """Set while a wake-up for this partition is under way, so that nobody rings twice."""
        return f"{self._tags[partition]}bell"

    @_key(type="string", lifetime="3 s, renewed with each batch", owner="routing")
    def drainer(self, partition: Partition) -> str:
        """The token of who routes this partition."""
        return f"{self._tags[partition]}drainer"

    @_key(type="string", lifetime="until ingress is empty", owner="routing")
    def taken(self, partition: Partition) -> str:
        """Up to which order messages were taken to be routed; outlives a router that died."""
        return f"{self._tags[partition]}taken"

    # --- the recipient's side: inboxes ------------------------------------------------------

    @_key(type="zset", lifetime="permanent", owner="messaging")
    def inbox(self, agent: AgentId) -> str:
        """Message ids ready to be leased, by order (priority, then sequence)."""
        return f"{self._of_agent(agent)}inbox:{agent}"

    @_key(type="zset", lifetime="permanent", owner="messaging")
    def leased(self, agent: AgentId) -> str:
        """Message ids handed out, by the end of their lease in ms."""
        return f"{self._of_agent(agent)}leased:{agent}"

    @_key(type="zset", lifetime="permanent", owner="messaging")
    def waiting(self, agent: AgentId) -> str:
        """Message ids between two attempts, by the time of the next in ms."""
        return f"{self._of_agent(agent)}waiting:{agent}"

    @_key(type="zset", lifetime="permanent", owner="messaging")
    def expiring(self, agent: AgentId) -> str:
        """Ids of all unfinished deliveries, by the end of the message's life in ms."""
        return f"{self._of_agent(agent)}expiring:{agent}"

    @_key(type="hash", lifetime="permanent", owner="messaging")
    def deliveries(self, agent: AgentId) -> str:
        """Message id to its unfinished delivery (delivery.lua); its length is the depth."""
        return f"{self._of_agent(agent)}deliveries:{agent}"

    @_key(type="hash", lifetime="retention after the verdict", owner="messaging")
    def receipts(self, agent: AgentId) -> str:
        """Message id to its finished delivery; keeps a late routing from bringing it back."""
        return f"{self._of_agent(agent)}receipts:{agent}"

    @_key(type="zset", lifetime="retention after the verdict", owner="messaging")
    def leaving(self, agent: AgentId) -> str:
        """Message ids of finished deliveries, by when their receipt leaves, in ms."""
        return f"{self._of_agent(agent)}leaving:{agent}"

    @_key(type="zset", lifetime="permanent", owner="messaging")
    def alarms(self, partition: Partition) -> str:
        """Agents by the earliest moment in ms at which something of their inbox falls due."""
        return f"{self._tags[partition]}alarms"

    @_key(type="string", lifetime="permanent", owner="messaging")
    def swept_at(self, partition: Partition) -> str:
        """The server's time in ms at one of the last sweeps: tells when the clock is set back."""
        return f"{self._tags[partition]}swept_at"

    @_key(type="zset", lifetime="until the next sweep", owner="messaging")
    def set_back(self, partition: Partition) -> str:
        """Agents whose leases and waits must follow a clock that was set back, by how many ms."""
        return f"{self._tags[partition]}set_back"

    @_key(type="zset", lifetime="until concluded", owner="messaging")
    def concluded(self, partition: Partition) -> str:
        """Outbox: `<verdict> <message id> <agent>` whose sender's side has yet to be told.

        Where a reply is still awaited, `<verdict>:<until when in ms>`; of a claim that has ended,
        `claim_won:<token>` or `claim_lost:<token>`.
        """
        return f"{self._tags[partition]}concluded"

    def arrivals(self, partition: Partition) -> str:
        """The pub/sub channel that names agents of this partition to whom something came."""
        return f"{self._tags[partition]}arrivals"

    @_key(type="zset", lifetime="until the last of them has timed out", owner="messaging")
    def owed(self, agent: AgentId) -> str:
        """Ids of the tickets that reached an agent and await its reply, by their timeout in ms."""
        return f"{self._of_agent(agent)}owed:{agent}"

    # --- dead letters -----------------------------------------------------------------------

    @_key(type="hash", lifetime="WAYSTATION_DEAD_LETTER_RETENTION_SECONDS", owner="messaging")
    def dead_letters(self, partition: Partition) -> str:
        """Dead letter id to its entry (includes/dead_letter.lua), of this partition's agents."""
        return f"{self._tags[partition]}dead_letters"

    @_key(type="zset", lifetime="WAYSTATION_DEAD_LETTER_RETENTION_SECONDS", owner="messaging")
    def dead_index(self, partition: Partition) -> str:
        """Dead letter ids by the time of death in ms."""
        return f"{self._tags[partition]}dead_index"

    @_key(type="zset", lifetime="permanent", owner="messaging")
    def dead_due(self, partition: Partition) -> str:
        """Dead letter ids by the time of their automatic retry in ms."""
        return f"{self._tags[partition]}dead_due"

    # --- conversations ----------------------------------------------------------------------

    @_key(type="zset", lifetime="as long as its newest message; newest 20,000", owner="messaging")
    def conversation(self, name: str) -> str:
        """Ids of the messages of `dm:<a>:<b>` or `channel:<id>`, by acceptance in ms."""
        return f"{self._of_agent(name)}conversation:{name}"

    @_key(type="zset", lifetime="as long as its newest message; newest 20,000", owner="messaging")
    def counterparts(self, agent: AgentId) -> str:
        """With whom an agent has direct messages, by when the last one was sent in ms."""
        return f"{self._of_agent(agent)}counterparts:{agent}"

    # --- channels ---------------------------------------------------------------------------

    def partition_of_channel(self, channel: ChannelId) -> Partition:
        """Where all of a channel lies, its conversation too."""
        return self.partition_for(f"channel:{channel}")

    @_key(type="hash", lifetime="until deleted", owner="routing")
    def channel(self, channel: ChannelId) -> str:
        """A channel: owner, private, topic, created_at in ms, version of its membership."""
        return f"{self._of_agent(f'channel:{channel}')}channel:{channel}"

    @_key(type="zset", lifetime="until deleted", owner="routing")
    def channel_members(self, channel: ChannelId) -> str:
        """A channel's members by when they had registered in ms, which tells namesakes apart."""
        return f"{self._of_agent(f'channel:{channel}')}channel_members:{channel}"

    @_key(type="zset", lifetime="permanent", owner="routing")
    def channels(self, partition: Partition) -> str:
        """Ids of the partition's channels, all at score 0: in the order of their names."""
        return f"{self._tags[partition]}channels"

    # --- agents -----------------------------------------------------------------------------

    @_key(type="hash", lifetime="until deleted", owner="directory")
    def agent(self, agent: AgentId) -> str:
        """An agent: profile (JSON), instance, epoch, last_seen, inbox limits."""
        return f"{self._of_agent(agent)}agent:{agent}"

    @_key(type="zset", lifetime="permanent", owner="directory")
    def agents(self, partition: Partition) -> str:
        """Ids of the registered agents, all at score 0: in the order of their names."""
        return f"{self._tags[partition]}agents"

    @_key(type="zset", lifetime="permanent", owner="directory")
    def heartbeats(self, partition: Partition) -> str:
        """Ids of agents that count as present, by the last sign of life in ms."""
        return f"{self._tags[partition]}heartbeats"

    @_key(type="set", lifetime="until they give a sign of life", owner="directory")
    def unseen(self, partition: Partition) -> str:
        """Ids of agents that discovery registered and that have never been there."""
        return f"{self._tags[partition]}unseen"

    @_key(type="hash", lifetime="until registered again", owner="directory")
    def departed(self, partition: Partition) -> str:
        """Last epoch of each agent that was deleted, from which its sessions go on counting."""
        return f"{self._tags[partition]}departed"

    @_key(type="string", lifetime="permanent", owner="directory")
    def roll_version(self, partition: Partition) -> str:
        """`<changes>@<ms>`: another with each change of what a partition's agents are."""
        return f"{self._tags[partition]}roll_version"

    # --- pools ------------------------------------------------------------------------------

    @_key(type="string", lifetime="a day after the last turn", owner="routing")
    def turns(self, targets: str) -> str:
        """How many messages to these targets were handed out in turn (round_robin)."""
        return f"{self._of_agent(targets)}turns:{self._digest(targets)}"

    # --- pushing ----------------------------------------------------------------------------

    @_key(type="hash", lifetime="until deleted", owner="delivery")
    def webhook(self, agent: AgentId) -> str:
        """An agent's webhook: definition (JSON), secrets, last success and failure, who pushes."""
        return f"{self._of_agent(agent)}webhook:{agent}"

    @_key(type="zset", lifetime="permanent", owner="delivery")
    def webhooks(self, partition: Partition) -> str:
        """Agents whose webhook is on, by the moment in ms before which nothing is pushed."""
        return f"{self._tags[partition]}webhooks"

    @_key(type="string", lifetime="2.5 s, renewed while it pushes", owner="delivery")
    def pusher(self, agent: AgentId) -> str:
        """The token of who pushes to this agent."""
        return f"{self._of_agent(agent)}pusher:{agent}"

    @_key(type="hash", lifetime="until the destination works or is deleted", owner="delivery")
    def breaker(self, transport: str, agent: AgentId) -> str:
        """A destination that fails: failures in a row, and since when in ms it is given up."""
        return f"{self._of_agent(agent)}breaker:{transport}:{agent}"

    # --- recurring messages -----------------------------------------------------------------

    @_key(
        type="hash", lifetime="until it ends, then WAYSTATION_RETENTION_SECONDS", owner="messaging"
    )
    def recurring(self, recurring: RecurringId) -> str:
        """A recurring message: definition (msgpack), state, next and last slot in ms, counts."""
        return f"{self._of_id(recurring)}recurring:{recurring}"

    @_key(type="zset", lifetime="permanent", owner="messaging")
    def recurring_index(self, partition: Partition) -> str:
        """Ids of the recurring messages by when they leave in ms; those that go on by +inf."""
        return f"{self._tags[partition]}recurring_index"

    @_key(type="zset", lifetime="permanent", owner="messaging")
    def recurring_due(self, partition: Partition) -> str:
        """Ids of active recurring messages by their next slot in ms."""
        return f"{self._tags[partition]}recurring_due"

    @_key(type="list", lifetime="as long as its recurring message; newest 1,000", owner="messaging")
    def recurring_history(self, recurring: RecurringId) -> str:
        """What became of a recurring message's slots: newest first, msgpack."""
        return f"{self._of_id(recurring)}recurring_history:{recurring}"

    # --- identity ---------------------------------------------------------------------------

    @_key(type="hash", lifetime="30 days beyond its end", owner="security")
    def api_key(self, key: KeyId) -> str:
        """A key: name, scopes, expiry, digest of its secret (SHA-256), of the one before it."""
        return f"{self._of_id(key)}api_key:{key}"

    @_key(type="zset", lifetime="permanent", owner="security")
    def api_keys(self, partition: Partition) -> str:
        """Ids of the keys by when their record leaves in ms; those that go on by +inf."""
        return f"{self._tags[partition]}api_keys"

    @_key(type="zset", lifetime="until its last key ends", owner="security")
    def agent_keys(self, agent: AgentId) -> str:
        """Ids of the keys that speak for an agent, by their end in ms: its id is not free."""
        return f"{self._of_agent(agent)}agent_keys:{agent}"

    @_key(type="string", lifetime="permanent", owner="security")
    def first_admin_key(self) -> str:
        """The id of the first admin key that there ever was: a start prints no second one."""
        return f"{self._tags[0]}first_admin_key"

    @_key(type="hash", lifetime="30 days beyond its end", owner="security")
    def invitation(self, invitation: InvitationId) -> str:
        """An invitation: whom it lets register, how often, until when, digest of its secret."""
        return f"{self._of_id(invitation)}invitation:{invitation}"

    @_key(type="set", lifetime="as long as its invitation", owner="security")
    def invited(self, invitation: InvitationId) -> str:
        """The agents that an invitation was used for; one counts once."""
        return f"{self._of_id(invitation)}invited:{invitation}"

    @_key(type="zset", lifetime="permanent", owner="security")
    def invitations(self, partition: Partition) -> str:
        """Ids of the invitations by when their record leaves in ms."""
        return f"{self._tags[partition]}invitations"

    # --- watching ---------------------------------------------------------------------------

    @_key(type="stream", lifetime="newest WAYSTATION_ACTIVITY_MAX_EVENTS", owner="storage")
    def activity(self, partition: Partition) -> str:
        """Every move of every delivery: past-tense event name and ids, no payload."""
        return f"{self._tags[partition]}activity"

    @_key(type="hash", lifetime="permanent", owner="operations")
    def counters(self, partition: Partition) -> str:
        """How often each event happened, and the buckets of the latency histogram."""
        return f"{self._tags[partition]}counters"

    # --- the station itself -----------------------------------------------------------------

    @_key(type="hash", lifetime="permanent", owner="storage")
    def station(self) -> str:
        """Version of the data and the number of partitions that it was laid out for."""
        return f"{self._station}station"

    @_key(type="hash", lifetime="permanent", owner="directory")
    def discovery(self) -> str:
        """Machine to the report of the last search for agents on it, JSON."""
        return f"{self._station}discovery"

    @_key(type="string", lifetime="6 s, renewed every 2 s", owner="operations")
    def worker(self, role: str, name: str) -> str:
        """A living process of the station: JSON with its role, host, pid, start."""
        return f"{self._station}worker:{role}:{name}"

    @_key(type="zset", lifetime="permanent", owner="operations")
    def workers(self) -> str:
        """`<role>:<name>` of the processes by their last sign of life in ms."""
        return f"{self._station}workers"

    @_key(type="list", lifetime="newest 2,880", owner="operations")
    def health_history(self) -> str:
        """Health reports, newest first, JSON."""
        return f"{self._station}health_history"

    @_key(type="hash", lifetime="permanent", owner="operations")
    def alerts(self) -> str:
        """Name of an alert that stands, to since when and how it was last reported."""
        return f"{self._station}alerts"

    @_key(type="list", lifetime="newest 120", owner="operations")
    def samples(self) -> str:
        """Snapshots of the counters taken by schedule, newest first; rates come from them."""
        return f"{self._station}samples"

    @_key(type="string", lifetime="1 s", owner="operations")
    def probe(self) -> str:
        """Written by readiness checks, to see whether Redis takes writes."""
        return f"{self._station}probe"

    @_key(type="string", lifetime="permanent", owner="operations")
    def thresholds(self) -> str:
        """Alert thresholds that an operator has set, JSON."""
        return f"{self._station}thresholds"

    # --- on the jobs server -----------------------------------------------------------------

    @_key(type="set", lifetime="permanent", owner="storage")
    def ringing(self, pool: str) -> str:
        """Partitions that a worker of this pool is asked to drain."""
        return f"{self._station}ringing:{pool}"

    @_key(type="string", lifetime="1 s", owner="storage")
    def doorbell_job(self, pool: str) -> str:
        """Set while a job for the rings is on its way (`sent`) or a drainer listens (its token)."""
        return f"{self._station}doorbell_job:{pool}"

    def jobs_queue(self, role: str) -> str:
        """The name of the RQ queue of a worker pool."""
        return f"{self.namespace}-{role}"

    @_key(type="zset", lifetime="permanent", owner="scheduler")
    def scheduled_jobs(self) -> str:
        """Names of what rq-scheduler drives by their next time, in seconds since the epoch.

        What each one is stands in the RQ job of the same name.
        """
        return f"{self._station}scheduled_jobs"

    @_key(type="string", lifetime="until the allowance is full again", owner="security")
    def allowance(self, who: str, rate: str) -> str:
        """When a caller's allowance of a rate will be full again: a moment in microseconds."""
        return f"{self._station}allowance:{self._digest(f'{rate} {who}')}"

    @_key(type="string", lifetime="3 s, renewed with each pass", owner="scheduler")
    def scheduler_lock(self) -> str:
        """Which scheduler is at work: a token of its own."""
        return f"{self._station}scheduler_lock"
