"""The domain as one object, which every process of the station builds and prepares."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

import structlog

from broker.delivery.pusher import Pusher
from broker.delivery.webhooks import Webhooks
from broker.directory.agents import Agents
from broker.directory.discovery.discovery import Discovery
from broker.kernel.errors import StorageUnavailableError
from broker.messaging.arrivals import Arrivals
from broker.messaging.claims import Claims
from broker.messaging.conversations import Conversations
from broker.messaging.dead_letters import DeadLetters
from broker.messaging.inbox import Inboxes
from broker.messaging.queue import MessageQueue
from broker.messaging.receipts import MessageArchive
from broker.messaging.recurring import RecurringMessages
from broker.messaging.settlement import Settlement
from broker.messaging.tickets import Tickets
from broker.messaging.withdrawal import Withdrawals
from broker.operations.monitor import Health
from broker.operations.processes import Processes
from broker.operations.readiness import Readiness
from broker.operations.stats import Stats
from broker.operations.watching import Watching
from broker.routing.channels import Channels
from broker.routing.router import Router
from broker.security.rate_limits import RateLimits
from broker.storage.connection import Redis
from broker.storage.doorbell import Doorbell
from broker.storage.keys import Keys
from broker.storage.migrations import migrate
from broker.wiring.identity import Identity

_RETRY_SECONDS: Final = 0.5

_log = structlog.get_logger(__name__)


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
