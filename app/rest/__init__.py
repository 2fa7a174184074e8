"""One module a resource; a new one is a file and a line in this table."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint

from app.rest.agents import agents
from app.rest.dead_letters import dead_letters
from app.rest.discovery import discovery
from app.rest.inboxes import inboxes
from app.rest.invitations import invitations
from app.rest.keys import keys
from app.rest.messages import messages
from app.rest.operations import operations, probes
from app.rest.recurring import recurring
from app.rest.threads import threads

PREFIX: Final = "/api/v1"

RESOURCES: Final[tuple[APIBlueprint, ...]] = (
    messages,
    inboxes,
    threads,
    agents,
    dead_letters,
    recurring,
    discovery,
    operations,
    keys,
    invitations,
)

AT_ROOT: Final[tuple[APIBlueprint, ...]] = (probes,)
