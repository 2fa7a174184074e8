"""Every Redis key of the station, and nowhere else.

Keys carry a hash tag `{<namespace>:p<NN>}`, so that all that one script touches lies in one slot
of a Redis Cluster. A message lives in its sender's partition, an inbox in its recipient's.
`docs/redis-schema.md` is generated from the decorations of these modules.
"""

from __future__ import annotations

from broker.storage.keys.directory import DirectoryKeys
from broker.storage.keys.identity import IdentityKeys
from broker.storage.keys.names import CATALOGUE, KeyKind
from broker.storage.keys.receiving import ReceivingKeys
from broker.storage.keys.recurring import RecurringKeys
from broker.storage.keys.sending import SendingKeys
from broker.storage.keys.station import StationKeys

__all__ = ["CATALOGUE", "KeyKind", "Keys"]


class Keys(SendingKeys, ReceivingKeys, DirectoryKeys, RecurringKeys, IdentityKeys, StationKeys):
    """The names of one station's keys."""
