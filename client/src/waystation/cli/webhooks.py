"""`waystation webhooks`: having an agent's messages posted to an endpoint (SPEC T4)."""

from __future__ import annotations

import click

from waystation.answers import Webhook
from waystation.cli.completion import AGENTS
from waystation.cli.context import Invocation, with_invocation
from waystation.cli.durations import DURATION
from waystation.cli.exit_codes import ExitCode
from waystation.cli.failures import Failure
from waystation.cli.options import CommandGroup

_agent = click.argument("agent_id", metavar="AGENT", shell_complete=AGENTS)


@click.group("webhooks", cls=CommandGroup)
def command() -> None:
    """Have an agent's messages posted to an endpoint."""


@command.command("set")
@_agent
@click.argument("endpoint", metavar="URL")
@click.option(
    "--answer-within", "timeout_seconds", type=DURATION, help="How long its answer may take."
)
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="NAME:VALUE",
    help="Sent along with each request; several times for several.",
)
@with_invocation
def set_webhook(
    invocation: Invocation,
    /,
    *,
    agent_id: str,
    endpoint: str,
    timeout_seconds: float | None,
    headers: tuple[str, ...],
) -> None:
    """Have messages posted to URL; a new secret is printed this once.

    Requests are signed with the secret, by Standard Webhooks.
    """
    found = invocation.station.webhooks.set(
        agent_id,
        endpoint,
        timeout_seconds=timeout_seconds,
        headers=dict(map(_header, headers)) or None,
    )
    output = invocation.output
    if found.secret is not None:
        output.result(found, found.secret)
        output.note("This is shown once: the endpoint checks signatures by it.")
    else:
        output.result(found, f"{agent_id} {found.webhook.status}")


@command.command("show")
@_agent
@with_invocation
def show(invocation: Invocation, /, *, agent_id: str) -> None:
    """Show an agent's webhook, and how its endpoint fares."""
    hook = invocation.station.webhooks.get(agent_id)
    invocation.output.record(hook, _fields(hook))


@command.command("remove")
@_agent
@with_invocation
def remove(invocation: Invocation, /, *, agent_id: str) -> None:
    """Take a webhook away; what comes waits in the inbox."""
    invocation.station.webhooks.delete(agent_id)
    invocation.output.result({"agent_id": agent_id, "removed": True}, f"{agent_id} removed")


@command.command("rotate")
@_agent
@click.option(
    "--overlap", "overlap_seconds", type=DURATION, help="Both secrets sign for so long; a day."
)
@with_invocation
def rotate(invocation: Invocation, /, *, agent_id: str, overlap_seconds: float | None) -> None:
    """Replace the secret; the new one is printed this once."""
    fresh = invocation.station.webhooks.rotate_secret(agent_id, overlap_seconds=overlap_seconds)
    invocation.output.result(fresh, fresh.secret)


@command.command("test")
@_agent
@with_invocation
def test(invocation: Invocation, /, *, agent_id: str) -> None:
    """Have a ping posted now, and say what the endpoint answered."""
    tried = invocation.station.webhooks.test(agent_id)
    output = invocation.output
    output.result(tried, f"{tried.answer} in {tried.duration_ms} ms")
    if not tried.delivered:
        raise Failure(
            f"The endpoint of {agent_id} did not take it: {tried.answer}",
            exit_code=ExitCode.FAILED,
            code="not_delivered",
        )


def _header(text: str) -> tuple[str, str]:
    name, separator, value = text.partition(":")
    if not separator:
        raise click.BadParameter(f"{name} is not NAME:VALUE.", param_hint="--header")
    return name.strip(), value.strip()


def _fields(hook: Webhook) -> dict[str, object]:
    return {
        "agent": hook.agent_id,
        "url": hook.url,
        "status": hook.status,
        "breaker": hook.breaker.state,
        "retry at": hook.breaker.retry_at,
        "last success": hook.last_success_at,
        "last failure": hook.last_failure,
        "last failure at": hook.last_failure_at,
        "disabled": hook.disabled_at,
        "disabled because": hook.disabled_because,
        "headers": hook.headers,
        "answer within (s)": hook.timeout_seconds,
        "secret rotated": hook.secret_rotated_at,
        "old secret until": hook.old_secret_until,
        "created": hook.created_at,
    }
