"""The order of steps, as the code has it: the orchestrated workflows and the choreographed chains."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any, Final

from actors.admin.command import DONE, Command, CommandFailed, Invocation
from actors.vocabulary.counts import counted

_NOTHING: Final[tuple[Any, ...]] = (None, "", [], False)
CHAIN: Final = "choreographed-"  # the name of an order of steps, as a chain


def list_workflows(invocation: Invocation) -> int:
    """All of them by name, with how many payments under way need each version."""
    needs = _needs(invocation)
    workflows = [
        {
            "name": each["name"],
            "flow": each["flow"],
            "version": each.get("version"),
            "steps": _steps(each),
            "needed_by": None if needs is None else needs.pop((each["name"], each.get("version") or 0), 0),
            "missing": False,
        }
        for each in descriptions()
    ]
    for (name, version), number in sorted((needs or {}).items()):
        lost = {"name": name, "flow": "orchestrated", "version": version, "steps": [], "needed_by": number}
        workflows.append(lost | {"missing": True})
    columns = ("name", "flow", ">version", "steps", "needed by")
    rows = [(each["name"], each["flow"], each["version"], _in_short(each), _needed(each)) for each in workflows]
    invocation.screen.show({"workflows": workflows}, lambda _: invocation.screen.table(columns, rows))
    return DONE


def _needs(invocation: Invocation) -> dict[tuple[str, int], int] | None:
    """Payments under way by version; None where no data directory can be read."""
    from actors.payment.versions import needed

    try:
        with invocation.reading() as reading:
            counted: Counter[tuple[str, int]] = Counter()
            for reader in reading.readers.values():
                counted.update({(version.name, version.number): n for version, n in needed(reader).items()})
            return dict(counted)
    except CommandFailed:
        return None


def _needed(workflow: dict[str, Any]) -> str:
    number = workflow["needed_by"]
    if not workflow["version"] or number is None:
        return ""
    if workflow["missing"]:
        return f"{counted(number, 'payment')}; this program lacks it"
    return counted(number, "payment") if number else "nothing: it can be removed once nothing new starts with it"


def show_workflow(invocation: Invocation) -> int:
    """Every step, or every reaction, with what it sends and what the answers mean."""
    chosen = chosen_workflows(invocation.arguments.name)

    def render(document: dict[str, Any]) -> None:
        screen = invocation.screen
        for description in document["workflows"]:
            rows = description.get("steps") or description["reactions"]
            columns = [name for name in rows[0] if any(row.get(name) not in _NOTHING for row in rows)]
            cells = [tuple(_cell(row.get(name)) for name in columns) for row in rows]
            version = f" v{description['version']}" if description.get("version") else ""
            title = f"{description['name']}{version} ({description['flow']})"
            screen.table([name.replace("_", " ") for name in columns], cells, title=title)
            screen.say("")

    invocation.screen.show({"workflows": chosen}, render)
    return DONE


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
    """Those of one name, or all of them.

    Raises:
        CommandFailed: there is none.
    """
    every = descriptions()
    chosen = [description for description in every if name in (None, description["name"])]
    if not chosen:
        known = ", ".join(description["name"] for description in every)
        raise CommandFailed(f"there is no workflow {name}; there are {known}")
    return chosen


def _steps(description: dict[str, Any]) -> list[str]:
    if "steps" in description:
        return [step["name"] for step in description["steps"]]
    return list(dict.fromkeys(link["command"] for link in description["reactions"]))


def _in_short(workflow: dict[str, Any]) -> str:
    names = workflow["steps"]
    if workflow["missing"]:
        return "?"
    return " → ".join(names) if workflow["version"] else f"the sum of the services' reactions, {len(names)} commands"


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else ""
    return ", ".join(str(part) for part in value) if isinstance(value, list | tuple) else value


def _one_workflow(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="default: all of them")


COMMANDS = (
    Command(
        name="workflow list",
        help="the orchestrated workflows and the choreographed chains",
        run=list_workflows,
    ),
    Command(
        name="workflow show",
        help="every step or reaction: commands, answers, timeouts, compensations",
        arguments=_one_workflow,
        run=show_workflow,
    ),
)
