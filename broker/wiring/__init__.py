"""The composition root: the only place where the broker's parts are put together."""

from __future__ import annotations

from broker.wiring.broker import Broker
from broker.wiring.build import build_broker
from broker.wiring.policies import message_policy

__all__ = ["Broker", "build_broker", "message_policy"]
