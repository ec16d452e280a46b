"""The order of steps, as the code has it: the orchestrated workflows and the choreographed chains."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from actors.admin import arguments as kinds
from actors.admin.command import DONE, Command, CommandFailed, Invocation
from actors.vocabulary.counts import counted
from actors.vocabulary.offers import CHAIN, CHAIN_VERSION

if TYPE_CHECKING:
    from actors.admin.needs import Need, Run

_LINK: Final = ("event", "publisher", "reactor", "command")
_REACTION: Final = ("on", "published by", "who reacts", "what it does")


def list_workflows(invocation: Invocation) -> int:
    """All of them by name, with what still needs each version."""
    needs = _needs(invocation)
    workflows = [
        {"name": each["name"], "flow": each["flow"], "version": each.get("version"), "steps": _steps(each)}
        | _standing(needs, _run(each))
        for each in descriptions()
    ]
    lacking = sorted(set(needs or ()) - {_run(each) for each in workflows})
    workflows += [run._asdict() | {"steps": []} | _standing(needs, run, missing=True) for run in lacking]
    columns = ("name", "flow", ">version", "steps", "needed by")
    rows = [(each["name"], each["flow"], each["version"], _in_short(each), each["why"]) for each in workflows]
    invocation.screen.show({"workflows": workflows}, lambda _: invocation.screen.table(columns, rows))
    return DONE


def _needs(invocation: Invocation) -> dict[Run, Need] | None:
    """What needs each version; None where no data directory can be read."""
    from actors.admin.needs import needs

    try:
        with invocation.reading() as reading:
            return needs(reading)
    except CommandFailed:
        return None


def _run(description: dict[str, Any]) -> Run:
    from actors.admin.needs import Run

    name = description["name"].removeprefix(CHAIN)
    return Run(description["flow"], name, description.get("version") or CHAIN_VERSION)


def _standing(needs: dict[Run, Need] | None, run: Run, *, missing: bool = False) -> dict[str, Any]:
    """Whether a version could be taken out of the code, and why not; nothing is known without a data directory."""
    from actors.admin.needs import Need
    from actors.messaging.envelope import ORCHESTRATED

    need = Need() if needs is None else needs.get(run, Need())
    versioned = needs is not None and run.flow == ORCHESTRATED
    why = need.in_words if versioned else need.new
    return {
        "default": None if needs is None else need.default,
        "needed_by": need.payments if versioned else None,
        "needing_attention": need.attention if versioned else None,
        "removable": need.nobody if versioned and not missing else None,
        "why": f"{why}; this program lacks it" if missing else why,
        "missing": missing,
    }


def show_workflow(invocation: Invocation) -> int:
    """Every step, or every reaction: who does what, for how long it is waited, what each answer leads to."""
    chosen = chosen_workflows(invocation.arguments.name)

    def render(document: dict[str, Any]) -> None:
        for at, description in enumerate(document["workflows"]):
            if at:
                invocation.screen.say("")
            _draw(invocation, description)

    invocation.screen.show({"workflows": chosen}, render)
    return DONE


def _draw(invocation: Invocation, description: dict[str, Any]) -> None:
    from actors.payment.workflow import WORKFLOWS
    from actors.pictures import table
    from actors.pictures.outline import outline

    name, version = description["name"], description.get("version")
    if version:
        rows, title = table.rows(outline(WORKFLOWS[name, version])), f"{name}, version {version}, orchestrated"
        if table.width(rows) <= invocation.screen.console().width:
            invocation.screen.table(table.COLUMNS, rows, title=title)
        else:
            invocation.screen.table(table.NARROW, table.narrow(rows), title=title)
    else:
        links = [tuple(each[name] for name in _LINK) for each in description["reactions"]]
        invocation.screen.table(_REACTION, links, title=f"{name.removeprefix(CHAIN)}, choreographed")


def descriptions() -> list[dict[str, Any]]:
    """Every workflow and every chain as data."""
    from actors import assembly
    from actors.admin import chain
    from actors.payment import queries

    reactions = assembly.reactions()
    orchestrated = [{"flow": "orchestrated"} | dict(each) for each in queries.workflows()]
    chains = [chain.as_dict(CHAIN + order, chain.chain(reactions, order)) for order in chain.orders(reactions)]
    return orchestrated + chains


def chosen_workflows(name: str | None) -> list[dict[str, Any]]:
    """That of one name (`NAME`, the newest version, `NAME@VERSION`, or a chain's), or all of them.

    Raises:
        CommandFailed: there is none.
    """
    every = descriptions()
    if name is None:
        return every
    named = {each["name"]: each for each in sorted(every, key=lambda each: each.get("version") or 0)}
    named |= {f"{each['name']}@{each['version']}": each for each in every if each.get("version")}
    if name not in named:
        known = ", ".join(dict.fromkeys(each["name"] for each in every))
        raise CommandFailed(f"there is no workflow {name}; there are {known}")
    return [named[name]]


def _steps(description: dict[str, Any]) -> list[str]:
    if "steps" in description:
        return [step["name"] for step in description["steps"]]
    return list(dict.fromkeys(link["command"] for link in description["reactions"]))


def _in_short(workflow: dict[str, Any]) -> str:
    names = workflow["steps"]
    if workflow["missing"]:
        return "?"
    if workflow["version"]:
        return " → ".join(names)
    return f"the sum of the services' reactions, {counted(len(names), 'command')}"


def _one_workflow(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME[@VERSION]", nargs="?", type=kinds.workflow,
        help="a workflow or a chain; default: all of them",
    )  # fmt: skip


COMMANDS = (
    Command(
        name="workflow list",
        help="the orchestrated workflows and the choreographed chains, and what still needs each version",
        details="A version can be taken out of the code when nothing needs it: it is not what new payments get, no "
        "payment under way runs it (one that needs attention does, until somebody decides), and money that comes back "
        "later has another version of its name to go to.",
        run=list_workflows,
    ),
    Command(
        name="workflow show",
        help="every step or reaction: who does it, what it asks, how long, what each answer leads to, what undoes it",
        arguments=_one_workflow,
        run=show_workflow,
    ),
)
