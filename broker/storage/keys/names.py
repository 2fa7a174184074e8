"""What every name of a key is made of, and the catalogue of them all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from broker.kernel.ids import Partition, partition_for, partition_of

_Method = TypeVar("_Method", bound=Callable[..., str])


@dataclass(frozen=True, kw_only=True)
class KeyKind:
    """What the schema document says of one kind of key; the method's docstring is its meaning."""

    method: str
    type: str
    lifetime: str
    owner: str


CATALOGUE: Final[list[KeyKind]] = []
"""All kinds of keys, in the order in which their modules are imported."""


def key(*, type: str, lifetime: str, owner: str) -> Callable[[_Method], _Method]:  # noqa: A002 - Redis's own word
    """Have a method's key stand in the catalogue."""

    def register(method: _Method) -> _Method:
        CATALOGUE.append(KeyKind(method=method.__name__, type=type, lifetime=lifetime, owner=owner))
        return method

    return register


class Names:
    """The parts that keys share: the station's namespace, and the hash tags of its partitions."""

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
