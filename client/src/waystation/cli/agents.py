"""`waystation agents`: who is there, and what they say of themselves (SPEC R7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_type_hints

import click
import msgspec

from waystation.answers import AgentProfile
from waystation.cli.completion import AGENTS
from waystation.cli.context import Invocation, with_invocation
from waystation.cli.options import CommandGroup
from waystation.cli.paging import paged
from waystation.cli.values import JSON_VALUE
from waystation.paging import each
from waystation.resources.agents import Profile

_COLUMNS = ("AGENT", "STATUS", "KIND", "LABEL", "TAGS", "CAPABILITIES", "LAST SEEN")
_PAGE = 200
_LISTS = {"tags", "capabilities"}


@click.group("agents", cls=CommandGroup)
def command() -> None:
    """Show, register and change agents."""


@command.command("list")
@click.option("--status", help="Only those online, stale or offline.")
@click.option("--kind", help="Only those of this kind.")
@click.option("--label", help="Only those with this label.")
@click.option("--tag", help="Only those with this tag.")
@click.option("--capability", help="Only those that can do this.")
@paged
@with_invocation
def list_agents(invocation: Invocation, /, **filters: Any) -> None:  # noqa: ANN401 - checked by click
    """List agents in the order of their ids."""
    page = invocation.station.agents.list(**filters)
    rows = [
        (one.id, one.status, one.kind, one.label, one.tags, one.capabilities, one.last_seen)
        for one in page.agents
    ]
    invocation.output.page(page, _COLUMNS, rows, empty="No agents.", cursor=page.cursor)


@command.command("show")
@click.argument("agent_id", metavar="AGENT", shell_complete=AGENTS)
@with_invocation
def show(invocation: Invocation, /, *, agent_id: str) -> None:
    """Show one agent."""
    _show(invocation, invocation.station.agents.get(agent_id))


@command.command("tree")
@with_invocation
def tree(invocation: Invocation) -> None:
    """Show all agents below their parents."""
    agents = list(each(invocation.station.agents.list, limit=_PAGE))
    if invocation.output.as_json:
        invocation.output.document(agents)
    else:
        for depth, agent in branches(agents):
            invocation.output.text(f"{'  ' * depth}{agent.id}  {agent.status}")


def branches(agents: Iterable[AgentProfile]) -> Iterable[tuple[int, AgentProfile]]:
    """Each agent once, parents first, with how deep it stands; a circle is cut open."""
    children: dict[str | None, list[AgentProfile]] = {}
    known = {agent.id: agent for agent in agents}
    for agent in known.values():
        parent = agent.parent if agent.parent in known else None
        children.setdefault(parent, []).append(agent)
    told: set[str] = set()
    pending = [(0, agent) for agent in reversed(children.get(None, []))]
    unreached = iter(known.values())
    while True:
        while pending:
            depth, agent = pending.pop()
            if agent.id not in told:
                told.add(agent.id)
                yield depth, agent
                pending += [(depth + 1, child) for child in reversed(children.get(agent.id, []))]
        if (rest := next((one for one in unreached if one.id not in told), None)) is None:
            return
        pending.append((0, rest))


_PROFILE_OPTIONS = (
    click.option("--name", help="What people call it."),
    click.option("--kind", help="provider, user, system, channel or orchestrator."),
    click.option("--label", help="Its role, for `label:x` targets."),
    click.option("--tag", "tags", multiple=True, help="A tag, for `tag:x` targets; repeatable."),
    click.option("--capability", "capabilities", multiple=True, help="What it can do; repeatable."),
    click.option("--machine", help="The machine that it runs on."),
    click.option("--cwd", help="The directory that it works in."),
    click.option("--parent", help="The agent that it works for."),
    click.option("--ready/--not-ready", default=None, help="Whether it takes work."),
    click.option("--operating-mode", help="How it works."),
    click.option("--meta", type=JSON_VALUE, metavar="JSON", help="Anything else; @FILE reads it."),
    click.option("--queue-max-depth", type=int, help="How much its inbox takes."),
    click.option("--on-full", help="What happens where its inbox is full."),
)


def _with_profile(function: Any) -> Any:  # noqa: ANN401 - as click's own decorators
    for option in reversed(_PROFILE_OPTIONS):
        function = option(function)
    return function


def _said(profile: Mapping[str, Any]) -> Profile:
    """Only what was said of the agent."""
    said = Profile()
    for name, value in profile.items():
        if value is not None and not (name in _LISTS and not value):
            said[name] = value  # type: ignore[literal-required]  # the options' names are its keys
    return said


@command.command("register")
@click.argument("agent_id", metavar="[AGENT]", required=False)
@_with_profile
@click.option("--invitation", metavar="TOKEN", help="What lets a newcomer in.")
@with_invocation
def register(
    invocation: Invocation,
    /,
    *,
    agent_id: str | None,
    invitation: str | None,
    **profile: Any,  # noqa: ANN401 - checked by click
) -> None:
    """Register an agent, or renew its registration.

    AGENT is who you are where it is left out.
    """
    enrolled = invocation.station.agents.register(
        agent_id or invocation.agent_id, invitation=invitation, **_said(profile)
    )
    if enrolled.api_key is None:
        invocation.output.result(enrolled, enrolled.agent.id)
        return
    invocation.output.note(f"{enrolled.agent.id} is registered. Its key, shown this once:")
    invocation.output.result(enrolled, enrolled.api_key)


@command.command("update")
@click.argument("agent_id", metavar="AGENT", shell_complete=AGENTS)
@_with_profile
@click.option("--clear", multiple=True, metavar="FIELD", help="Unset a field; repeatable.")
@with_invocation
def update(
    invocation: Invocation,
    /,
    *,
    agent_id: str,
    clear: Sequence[str],
    **profile: Any,  # noqa: ANN401 - checked by click
) -> None:
    """Change what is said of an agent."""
    said = _said(profile)
    for field in clear:
        name = field.replace("-", "_")
        if name not in get_type_hints(Profile):
            raise click.BadParameter(f"There is no field {field}.", param_hint="--clear")
        said[name] = [] if name in _LISTS else None  # type: ignore[literal-required]
    if not said:
        raise click.UsageError("Say what to change.")
    _show(invocation, invocation.station.agents.update(agent_id, **said))


@command.command("delete")
@click.argument("agent_id", metavar="AGENT", shell_complete=AGENTS)
@click.option("--yes", is_flag=True, help="Don't ask.")
@with_invocation
def delete(invocation: Invocation, /, *, agent_id: str, yes: bool) -> None:
    """Forget an agent; what waits for it becomes dead letters."""
    if not yes:
        click.confirm(
            f"Forget {agent_id}? What waits for it becomes dead letters.", abort=True, err=True
        )
    invocation.station.agents.delete(agent_id)
    invocation.output.note(f"{agent_id} is forgotten.")


def _show(invocation: Invocation, agent: AgentProfile) -> None:
    invocation.output.record(agent, msgspec.structs.asdict(agent))
