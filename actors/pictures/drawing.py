"""One picture by name and format: a version of a workflow, or the chain of an order of steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from actors.directory.reaction import Reactions
from actors.payment.definition import Workflow
from actors.pictures import bpmn, chain_layout, chain_text, mermaid, process_layout, svg, text
from actors.pictures.chain import chain
from actors.pictures.outline import outline

FORMATS: Final = ("text", "mermaid", "svg", "bpmn")


def workflow_diagram(workflow: Workflow, format: str) -> str:
    """The steps in order, what undoes them, and the pivot.

    Raises:
        ValueError: there is no such format.
    """
    process = outline(workflow)
    match format:
        case "text":
            return text.text(process)
        case "mermaid":
            return mermaid.mermaid(process)
        case "svg":
            return svg.svg(process_layout.draw(process))
        case "bpmn":
            return bpmn.bpmn(process_layout.draw(process))
    raise ValueError(f"a diagram is {', '.join(FORMATS)}, not {format}")


def chain_diagram(reactions: Mapping[str, Reactions], name: str, format: str) -> str:
    """Which event makes which service do what, and what that publishes.

    Raises:
        ValueError: there is no such format.
    """
    match format:
        case "text":
            return chain_text.text(reactions, name)
        case "mermaid":
            return chain_text.mermaid(reactions, name)
        case "svg":
            return svg.svg(chain_layout.draw(chain(reactions, name)))
        case "bpmn":
            return bpmn.bpmn(chain_layout.draw(chain(reactions, name)))
    raise ValueError(f"a diagram is {', '.join(FORMATS)}, not {format}")
