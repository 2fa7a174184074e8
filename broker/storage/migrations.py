"""The version of the data in Redis, and the ordered steps that bring older data up to it.

A station refuses data of a newer version, and data laid out for another number of partitions:
ids carry their partition, so the number cannot change under them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.kernel.errors import DataVersionError
from broker.storage.connection import Redis
from broker.storage.keys import Keys
from broker.storage.scripts import Script

_LUA: Final = Path(__file__).parent / "lua"


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One step: brings data of version `version - 1` to `version`. Must be safe to repeat."""

    version: int
    summary: str
    apply: Callable[[Redis, Keys], None]


MIGRATIONS: Final[tuple[Migration, ...]] = ()
BASE_VERSION: Final = 1
"""The version of data that needs no migration, as an empty Redis gets it."""


def migrate(redis: Redis, keys: Keys, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """Bring the data to this code's version; that version.

    Several processes may do so at once. Raises `DataVersionError` and touches nothing where the
    data is newer or laid out otherwise.
    """
    newest = migrations[-1].version if migrations else BASE_VERSION
    claim, reach = Script.load(_LUA, "claim_layout"), Script.load(_LUA, "reach_version")
    outcome = redis.call(
        claim.bind(
            keys={"station": keys.station()},
            args={"version": newest, "partitions": keys.partitions},
        )
    )
    version, partitions = (int(str(value)) for value in outcome.values)
    if partitions != keys.partitions:
        raise DataVersionError(
            f"The data in Redis is laid out for {partitions} partitions, the settings say "
            f"{keys.partitions}. Set WAYSTATION_PARTITIONS={partitions}, or use another namespace."
        )
    if version > newest:
        raise DataVersionError(
            f"The data in Redis is of version {version}; this program knows versions up to "
            f"{newest}. Use a newer program, or another namespace."
        )
    for migration in migrations:
        if migration.version > version:
            migration.apply(redis, keys)
            redis.call(
                reach.bind(keys={"station": keys.station()}, args={"version": migration.version})
            )
    return newest
