"""Writes `docs/redis-schema.md` from the keys: `python -m broker.storage.schema_document`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Final

from broker.storage.keys import CATALOGUE, Keys

_INTRODUCTION: Final = """\
# What is in Redis

Made by `python -m broker.storage.schema_document` from `broker/storage/keys/`; don't edit.

`{namespace:pNN}` is the hash tag of a partition: everything of a message's sender side lies in
the sender's partition, everything of an inbox in the recipient's. Ids end in two characters that
name their partition. Scripts touch keys of one partition only, so the same data runs on one
server, behind Sentinel and on Redis Cluster.

RQ's own keys (`rq:*`) and the doorbell live on `JOBS_REDIS_URL`, the same server by default.

| key | type | lives | owner | meaning |
|---|---|---|---|---|
"""


class _Placeholders(Keys):
    """Keys whose hash tag is a placeholder."""

    def __init__(self) -> None:
        super().__init__("namespace", 1)
        self._tags = ["{namespace:pNN}:"]

    @staticmethod
    def _digest(text: str) -> str:
        return f"<digest of {text.strip('<>')}>"


def rows() -> Iterator[str]:
    """A row of the table for each kind of key, in the order of the source."""
    keys = _Placeholders()
    for kind in CATALOGUE:
        method = getattr(keys, kind.method)
        names = [name for name in inspect.signature(method).parameters if name != "partition"]
        arguments = [f"<{name}>" for name in names]
        takes_partition = "partition" in inspect.signature(method).parameters
        key = method(*([0] if takes_partition else []), *arguments)
        meaning = " ".join((inspect.getdoc(method) or "").split()).replace("|", "\\|")
        yield f"| `{key}` | {kind.type} | {kind.lifetime} | {kind.owner} | {meaning} |"


def document() -> str:
    """The whole document."""
    return _INTRODUCTION + "\n".join(rows()) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
