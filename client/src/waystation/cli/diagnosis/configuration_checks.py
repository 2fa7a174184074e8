"""Checks of what the client was told, and of what is installed here."""

from __future__ import annotations

import stat
import sys
from typing import Final

from waystation.cli.diagnosis.finding import Finding, fine, skipped, warning, wrong
from waystation.cli.diagnosis.observed import Observed
from waystation.connect.present import Present

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def python(observed: Observed) -> Finding:
    """Which Python runs which client."""
    machine = observed.machine
    return fine("python", f"Python {machine.python}, waystation {machine.client}")


def configuration(observed: Observed) -> Finding:
    """Whether what the client was told can be used."""
    settings = observed.settings
    if settings.error is not None:
        return wrong(
            "configuration",
            settings.error,
            f"Correct {settings.path}, the options or the environment; `waystation profiles list`"
            " shows what the file has.",
        )
    if settings.exists:
        return fine("configuration", f"{settings.path}")
    return fine("configuration", f"{settings.path} is not there; nothing needs it")


def origins(observed: Observed) -> Finding | None:
    """Where each value comes from."""
    found = observed.settings.configuration
    if found is None:
        return None
    values = {"url": found.url, "agent": found.agent, "token": "a token" if found.token else None}
    said = ", ".join(
        f"{setting} {value} from {found.origins.get(setting, 'an argument')}"
        for setting, value in values.items()
        if value
    )
    return fine("settings", said)


def secrets(observed: Observed) -> Finding | None:
    """Whether others on this machine can read the token."""
    settings = observed.settings
    path = settings.configuration.token_path if settings.configuration else None
    if path is None or settings.token_mode is None:
        return None
    if settings.token_mode & _OTHERS:
        return warning(
            "secrets",
            f"{path} holds the token and is open to others ({settings.token_mode & 0o777:o})",
            f"chmod 600 {path}",
        )
    return fine("secrets", f"only you can read the token in {path}")


def mcp(observed: Observed) -> Finding:
    """Whether `waystation mcp` can run."""
    if observed.machine.mcp is None:
        return skipped(
            "mcp",
            "The MCP server's library is not installed; only `waystation mcp` needs it",
            f"{sys.executable} -m pip install 'waystation[mcp]'",
        )
    return fine("mcp", f"mcp {observed.machine.mcp} is installed")


def clients(observed: Observed) -> Finding | None:
    """Which agent CLIs there are, and as whom each is connected."""
    if not observed.clients:
        return None
    said = ", ".join(f"{one.client} {_standing(one)}" for one in observed.clients)
    broken = next((one for one in observed.clients if one.trouble is not None), None)
    if broken is not None:
        return warning("clients", said, "Correct that file; the client can't read it either.")
    if not any(one.user or one.project for one in observed.clients):
        configuration = observed.settings.configuration
        agent = (configuration and configuration.agent) or "AGENT"
        first = observed.clients[0].client
        return skipped("clients", said, f"waystation connect {first} --as {agent} --write")
    return fine("clients", said)


def _standing(client: Present) -> str:
    if client.trouble is not None:
        return client.trouble
    agents = dict.fromkeys(agent for agent in (client.user, client.project) if agent)
    return f"as {' and '.join(agents)}" if agents else "not connected"
