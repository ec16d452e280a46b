"""One payment's pictures, from its document with the timeline: its path, and who told whom what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from actors.directory.reaction import Reactions
from actors.messaging.envelope import CHOREOGRAPHED
from actors.payment.workflow import WORKFLOWS
from actors.pictures import chain_layout, path, process_layout, sequence, svg
from actors.pictures.chain import chain, of_order
from actors.pictures.outline import outline
from actors.pictures.path import Stage
from actors.pictures.scene import Scene

KINDS: Final = ("path", "sequence")
FORMATS: Final = ("text", "mermaid", "svg")


class NoDefinition(LookupError):
    """The code at hand has no such version of the payment's workflow, so its path can't be drawn."""


def payment_diagram(payment: Mapping[str, Any], reactions: Mapping[str, Reactions], kind: str, format: str) -> str:
    """The picture of one payment as its document (`payment ID --json`) has it.

    Raises:
        NoDefinition: its version of the workflow is gone; its sequence can still be drawn.
    """
    undoing = path.undoing(outline(each) for each in WORKFLOWS.values())
    messages = sequence.told(payment["timeline"], undoing)
    title = f"{payment['payment_id']}, {payment['workflow']}, {payment['flow']}"
    if kind == "sequence":
        draw = {"text": sequence.as_text, "mermaid": sequence.as_mermaid, "svg": sequence.as_svg}[format]
        return draw(title, messages)
    found, scene = _path(payment, reactions, messages)
    reason = f" ({payment['reason']})" if payment.get("reason") else ""
    end = f"{payment['status'].replace('_', ' ')}{reason}, {payment['updated_at'][:19].replace('T', ' ')}"
    if format == "text":
        return path.as_text(title, found, end)
    if format == "mermaid":
        return path.as_mermaid(found, end)
    return svg.svg(path.marked(scene, found, messages, f"{title}: {end}"))


def _path(
    payment: Mapping[str, Any], reactions: Mapping[str, Reactions], messages: list[sequence.Told]
) -> tuple[list[Stage], Scene]:
    name, version = payment["workflow"], payment["workflow_version"]
    if payment["flow"] == CHOREOGRAPHED:
        commands = {(service, on.event.__name__): on.command.__name__ for service, on in of_order(reactions, name)}
        return path.chain_stages(messages, commands), chain_layout.draw(chain(reactions, name))
    workflow = WORKFLOWS.get((name, version))
    if workflow is None:
        raise NoDefinition(f"the code at hand has no {name}@{version}; ask for --kind sequence, which needs none")
    process = outline(workflow)
    return path.stages(process, messages, payment["status"]), process_layout.draw(process)
