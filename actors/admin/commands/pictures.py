"""Pictures from the code: of workflows and chains in every format."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.admin import arguments as kinds
from actors.admin.command import DONE, FAILED, WRONG_USAGE, Command, CommandFailed, Invocation
from actors.admin.screen import Screen
from actors.vocabulary.counts import counted
from actors.vocabulary.offers import CHAIN

if TYPE_CHECKING:
    from actors.payment.definition import Workflow
    from actors.pictures.comparison import Row
    from actors.pictures.lint import Finding

FORMATS = ("text", "mermaid", "svg", "bpmn")  # those of `actors.pictures.drawing`, which is slow to import


def draw_workflow(invocation: Invocation) -> int:
    """A diagram of one or of all."""
    given = invocation.arguments
    names = [given.name] if given.name else every_name()
    alone = given.format in ("svg", "bpmn") or given.output
    if alone and len(names) > 1 and not invocation.screen.as_json:
        what = {"svg": "an SVG", "bpmn": "a BPMN document"}.get(given.format, "a file")
        raise CommandFailed(f"{what} shows one of them; name it: {', '.join(names)}", WRONG_USAGE)
    drawings = {name: diagram(name, given.format) for name in names}
    if given.output:
        write(given.output, "\n\n".join(drawings.values()))
        note = f"drew {names[0]} into {given.output}"
        document = {"format": given.format, "diagrams": drawings, "output": str(given.output)}
        invocation.screen.show(document, lambda _: invocation.screen.say(note))
        return DONE
    document = {"format": given.format, "diagrams": drawings}
    invocation.screen.show(document, lambda _: _say(invocation, drawings, given.format))
    return DONE


def draw_payment(invocation: Invocation) -> int:
    """The path that a payment has taken, or who told whom what."""
    from actors import assembly
    from actors.pictures.payment import NoDefinition, payment_diagram

    given = invocation.arguments
    with invocation.reading() as reading:
        payment = reading.payment(given.payment_id)
    if payment is None:
        raise CommandFailed(f"there is no payment {given.payment_id}; see them with: payments")
    try:
        drawing = payment_diagram(payment, assembly.reactions(), given.kind, given.format)
    except NoDefinition as error:
        raise CommandFailed(str(error)) from error
    document = {"payment_id": given.payment_id, "kind": given.kind, "format": given.format, "diagram": drawing}
    said = drawing
    if given.output:
        write(given.output, drawing)
        document["output"] = str(given.output)
        said = f"drew {given.payment_id} into {given.output}"
    invocation.screen.show(document, lambda _: invocation.screen.say(said))
    return DONE


def compare_workflows(invocation: Invocation) -> int:
    """Two of them side by side."""
    from actors import assembly
    from actors.pictures import beside, comparison, svg
    from actors.pictures.chain import chain
    from actors.pictures.outline import outline

    given, screen = invocation.arguments, invocation.screen
    names = (given.left, given.right)
    found = [find(name) for name in names]
    if isinstance(found[0], str) != isinstance(found[1], str):
        raise CommandFailed("a workflow and a chain have no steps in common; name two workflows, or two chains")
    left, right = (chain(assembly.reactions(), each) if isinstance(each, str) else outline(each) for each in found)
    rows = comparison.compare(left, right)
    changed = any(row.what for row in rows)
    document = {"left": names[0], "right": names[1], "rows": [row.as_dict() for row in rows], "changed": changed}
    if given.format == "text" and not given.output:
        screen.show(document, lambda _: _say_rows(screen, names, rows))
        return DONE
    if given.format == "text":
        text = StringIO()
        _say_rows(Screen(text), names, rows)
        drawing = text.getvalue().rstrip("\n")
    elif given.format == "mermaid":
        drawing = beside.mermaid(names, (left, right), rows)
    else:
        drawing = svg.svg(beside.scene(names, (left, right), rows))
    document["diagram"] = said = drawing
    if given.output:
        write(given.output, drawing)
        document["output"] = str(given.output)
        said = f"drew {names[0]} and {names[1]} into {given.output}"
    screen.show(document, lambda _: screen.say(said))
    return DONE


def _say_rows(screen: Screen, names: tuple[str, str], rows: Sequence[Row]) -> None:
    if not any(row.what for row in rows):
        screen.say(f"{names[0]} and {names[1]}: no difference")
        return
    cells = [(row.left, row.right, row.what, "; ".join(row.changes)) for row in rows]
    screen.table((*names, "", "what differs"), cells)


def lint_workflows(invocation: Invocation) -> int:
    """What is wrong with the flows as they are wired; status 1 where something is."""
    from actors.pictures import lint

    findings = lint.lint(lint.shipped())
    document = {"ok": not findings, "findings": [finding._asdict() for finding in findings]}

    def render(_: Any) -> None:
        if findings:
            invocation.screen.table(("rule", "where", "what"), _together(findings))
        else:
            invocation.screen.say("nothing found: no loose ends, no circles, and both flows do the same")

    invocation.screen.show(document, render)
    return FAILED if findings else DONE


def _together(findings: Sequence[Finding]) -> list[tuple[str, str, str]]:
    """One line for the same finding in several places; --json has each."""
    places: dict[tuple[str, str, str], list[str]] = {}
    for rule, about, sentence in findings:
        of, _, place = about.partition(": ")
        places.setdefault((rule, of, sentence), []).append(place)
    return [
        (rule, f"{of}: {found[0]}" if found[0] else of, sentence + (f" ({_others(found)})" if len(found) > 1 else ""))
        for (rule, of, sentence), found in places.items()
    ]


def _others(places: list[str]) -> str:
    return f"and so in {counted(len(places) - 1, 'more case')}; --json has them all"


def diagram(name: str, format: str) -> str:
    """One workflow (`NAME`, the newest version, or `NAME@VERSION`) or one chain, drawn.

    Raises:
        CommandFailed: there is none of that name.
    """
    from actors import assembly
    from actors.pictures import drawing

    found = find(name)
    if isinstance(found, str):
        return drawing.chain_diagram(assembly.reactions(), found, format)
    return drawing.workflow_diagram(found, format)


def find(name: str) -> Workflow | str:
    """A version of a workflow, or the order of steps of a chain.

    Raises:
        CommandFailed: there is none of that name.
    """
    from actors import assembly
    from actors.admin import chain
    from actors.payment.workflow import WORKFLOWS

    order = name.removeprefix(CHAIN)
    if order != name and order in chain.orders(assembly.reactions()):
        return order
    plain, _, version = name.partition("@")
    versions = {str(number): workflow for (known, number), workflow in WORKFLOWS.items() if known == plain}
    newest = max(versions, key=int, default="")
    if (version or newest) not in versions:
        raise CommandFailed(f"there is no workflow {name}; there are {', '.join(every_name())}")
    return versions[version or newest]


def every_name() -> list[str]:
    """Each version of each workflow, and each chain; a workflow of one version by its bare name."""
    from actors import assembly
    from actors.admin import chain
    from actors.payment.workflow import WORKFLOWS

    names = [name for name, _ in WORKFLOWS]
    named = [f"{name}@{version}" if names.count(name) > 1 else name for name, version in WORKFLOWS]
    return named + [CHAIN + order for order in chain.orders(assembly.reactions())]


def write(path: Path, text: str) -> None:
    """Put a picture into a file.

    Raises:
        CommandFailed: it can't be written.
    """
    try:
        path.write_text(text + "\n", "utf-8")
    except OSError as error:
        raise CommandFailed(f"{path} can't be written: {error.strerror}; name another file") from error


def _say(invocation: Invocation, drawings: dict[str, str], format: str) -> None:
    screen = invocation.screen
    for name, drawing in drawings.items():
        if len(drawings) > 1:
            screen.say(f"{'%% ' if format == 'mermaid' else ''}{name}")
        screen.say(drawing)
        if len(drawings) > 1:
            screen.say("")


def _diagram_arguments(parser: argparse.ArgumentParser, formats: tuple[str, ...] = FORMATS) -> None:
    parser.add_argument("--format", choices=formats, default="text")
    parser.add_argument(
        "--output", metavar="FILE", type=kinds.file, help="write it there instead of to standard output"
    )


def _one_workflow(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME[@VERSION]", nargs="?", type=kinds.workflow,
        help="a workflow or a chain; default: all of them",
    )  # fmt: skip
    _diagram_arguments(parser)


def _two_workflows(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("left", metavar="NAME[@VERSION]", type=kinds.workflow)
    parser.add_argument("right", metavar="NAME[@VERSION]", type=kinds.workflow, help="two workflows, or two chains")
    _diagram_arguments(parser, FORMATS[:3])


def _one_payment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("payment_id", metavar="PAYMENT_ID", type=kinds.payment_id)
    parser.add_argument(
        "--kind", choices=("path", "sequence"), default="path", help="its way through the steps, or who told whom what"
    )
    _diagram_arguments(parser, FORMATS[:3])


COMMANDS: tuple[Any, ...] = (
    Command(
        name="workflow diagram",
        help="a workflow or a chain drawn from the code: as text, Mermaid, SVG or BPMN 2.0 with its layout",
        arguments=_one_workflow,
        run=draw_workflow,
    ),
    Command(
        name="workflow diff",
        help="two versions, two workflows or two chains side by side: steps added, removed, moved, changed",
        details="Text is a table; mermaid and svg draw both beside each other with what differs in colour.",
        arguments=_two_workflows,
        run=compare_workflows,
    ),
    Command(
        name="workflow lint",
        help="loose ends, circles, debits that nothing voids, differences between the flows; status 1 if any",
        run=lint_workflows,
    ),
    Command(
        name="diagram",
        help="what one payment has been through, drawn: its path, or a sequence diagram; with times",
        arguments=_one_payment,
        run=draw_payment,
    ),
)
