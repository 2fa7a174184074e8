"""One module a resource; a new one is a file and a line in this table.

The same blueprints are mounted under each of the prefixes (SPEC M16): beside `/api/v1`, the paths
of the first clients, with `/api` and with nothing before them. The document describes the first.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from apiflask import APIBlueprint, APIFlask

from app.rest.agents import agents
from app.rest.channels import channels
from app.rest.claims import claims
from app.rest.dead_letters import dead_letters
from app.rest.direct_messages import direct_messages
from app.rest.discovery import discovery
from app.rest.documents import documents
from app.rest.inboxes import inboxes
from app.rest.invitations import invitations
from app.rest.keys import keys
from app.rest.messages import messages
from app.rest.operations import operations, probes
from app.rest.recurring import recurring
from app.rest.threads import threads
from app.rest.tickets import tickets
from app.rest.watching import watching
from app.rest.webhooks import webhooks

PREFIX: Final = "/api/v1"
OTHER_PREFIXES: Final = {"under_api": "/api", "at_root": ""}
"""What else may stand before the paths of resources, each with what tells its endpoints apart."""

RESOURCES: Final[tuple[APIBlueprint, ...]] = (
    messages,
    inboxes,
    claims,
    threads,
    direct_messages,
    channels,
    tickets,
    agents,
    dead_letters,
    recurring,
    discovery,
    webhooks,
    operations,
    keys,
    invitations,
    watching,
    documents,
)

AT_ROOT: Final[tuple[APIBlueprint, ...]] = (probes,)


def mount(app: APIFlask) -> None:
    """Give an application the routes of every resource, under each of their names."""
    for resource in RESOURCES:
        app.register_blueprint(resource, url_prefix=PREFIX)
    for resource in AT_ROOT:
        app.register_blueprint(resource)
    for suffix, prefix in OTHER_PREFIXES.items():
        for resource in RESOURCES:
            app.register_blueprint(resource, url_prefix=prefix, name=f"{resource.name}_{suffix}")


def is_other_name(path: str, paths: Container[str]) -> bool:
    """Whether a path only stands for one of `paths` under the documented prefix."""
    return any(
        not path.startswith(PREFIX)
        and path.startswith(f"{prefix}/")
        and PREFIX + path.removeprefix(prefix) in paths
        for prefix in OTHER_PREFIXES.values()
    )
