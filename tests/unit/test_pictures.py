"""The drawn workflows: every picture comes from the data, so a moved line moves in the picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from actors import assembly
from actors.admin import chain as chains
from actors.directory.reaction import On, Reactions
from actors.disbursement.messages import PaymentInitiated
from actors.execution.messages import ExecutePayment
from actors.ledger.messages import AccountDebited, DebitAccount
from actors.payment import queries
from actors.payment.definition import Workflow
from actors.payment.messages import StartSaga
from actors.payment.saga import PaymentSaga
from actors.payment.workflow import DEBIT_FIRST, POST, SCREEN_FIRST, WORKFLOWS
from actors.pictures import bpmn, chain_layout, mermaid, process_layout, svg, text
from actors.pictures.chain import chain
from actors.pictures.drawing import FORMATS, chain_diagram, workflow_diagram
from actors.pictures.outline import Process, everything, outline
from actors.pictures.scene import Scene
from tests.fakes.pictured import EVERYTHING, faults
from tests.fakes.turn import ServiceBench
from tests.fakes.workflow_script import an_order

CHAIN: dict[str, Reactions] = {
    "execution": {"one": (On(AccountDebited, ExecutePayment, lambda event: None),)},
    "ledger": {"one": (On(PaymentInitiated, DebitAccount, lambda event: None),), "other": ()},
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("workflow", [DEBIT_FIRST, SCREEN_FIRST], ids=lambda workflow: workflow.name)
def test_a_diagram_names_every_step_command_and_compensation(workflow: Workflow, format: str) -> None:
    """Whoever reads the picture need not read the code."""
    drawn = workflow_diagram(workflow, format)
    for step in queries.describe(workflow)["steps"]:
        for name in (step["name"], step["command"], step["done"], step["compensation"] or ""):
            assert name in drawn


@pytest.mark.parametrize("format", FORMATS)
def test_the_order_of_the_lines_is_the_order_of_the_picture(format: str) -> None:
    """Two orders, two pictures."""
    debit_first, screen_first = workflow_diagram(DEBIT_FIRST, format), workflow_diagram(SCREEN_FIRST, format)
    assert debit_first.index("debit-account") < debit_first.index("screen-beneficiary")
    assert screen_first.index("screen-beneficiary") < screen_first.index("debit-account")


def test_a_diagram_as_svg_is_xml() -> None:
    """A browser takes it as it is."""
    for picture in (workflow_diagram(DEBIT_FIRST, "svg"), chain_diagram(CHAIN, "one", "svg")):
        assert ElementTree.fromstring(picture).tag.endswith("svg")


SAID = ("amount over 10000 EUR", "yes", "tomorrow", "AM04", "again after 30 min, 3 times", "a person is called")
REFERENCES = ("sourceRef", "targetRef", "attachedToRef", "processRef", "bpmnElement", "messageRef", "errorRef")
ARTIFACTS = ("textAnnotation", "association")


def scenes() -> dict[str, Scene]:
    """Everything that is shipped, and a process with everything that there may be."""
    drawn = {f"{name}@{version}": process_layout.draw(outline(each)) for (name, version), each in WORKFLOWS.items()}
    reactions = assembly.reactions()
    drawn |= {f"choreographed-{name}": chain_layout.draw(chain(reactions, name)) for name in chains.orders(reactions)}
    return drawn | {"everything": process_layout.draw(EVERYTHING)}


SCENES = scenes()


@pytest.mark.parametrize("name", SCENES)
def test_nothing_overlaps_and_no_line_runs_through_a_box(name: str) -> None:
    """A picture that must be tidied up by hand is drawn by hand."""
    assert list(faults(SCENES[name])) == []


@pytest.mark.parametrize("write", [text.text, mermaid.mermaid], ids=["text", "mermaid"])
def test_every_construct_of_the_language_is_in_the_words(write: Callable[[Process], str]) -> None:
    """Choices, steps at once, waits and what is done about a reason: none is left out of a picture."""
    drawn = write(EVERYTHING)
    for part in everything(EVERYTHING.parts):
        assert part.name in drawn
    for words in (
        "amount over 10000 EUR",
        "yes",
        "tomorrow",
        "AM04",
        "again after 30 min, 3 times",
        "a person is called",
    ):
        assert words in drawn


@pytest.mark.parametrize("write", [svg.svg, bpmn.bpmn], ids=["svg", "bpmn"])
def test_every_construct_of_the_language_is_in_the_drawing(write: Callable[[Scene], str]) -> None:
    """As in the words."""
    drawn = write(SCENES["everything"])
    for part in everything(EVERYTHING.parts):
        assert part.name in drawn
    for words in (
        "amount over 10000 EUR",
        "yes",
        "tomorrow",
        "AM04",
        "again after 30 min, 3 times",
        "a person is called",
    ):
        assert words in drawn


@pytest.mark.parametrize("name", SCENES)
def test_a_bpmn_document_keeps_the_schemas_rules(name: str) -> None:
    """What a modeller forgives, an engine or a validator may not: order of children, references, one shape each."""
    root = ElementTree.fromstring(bpmn.bpmn(SCENES[name]))
    identifiers = [each.get("id") for each in root.iter() if each.get("id")]
    assert len(identifiers) == len(set(identifiers))
    for each in root.iter():
        for reference in (
            "sourceRef",
            "targetRef",
            "attachedToRef",
            "processRef",
            "bpmnElement",
            "messageRef",
            "errorRef",
        ):
            assert each.get(reference, identifiers[0]) in identifiers
    for owner in root.iter():
        names = bpmn.local_names(owner)
        if names and bpmn.local_names([owner])[0] in ("process", "subProcess"):
            flags = [
                name in ("textAnnotation", "association") for name in names if name not in ("incoming", "outgoing")
            ]
            assert flags == sorted(flags), "artifacts stand after flow elements"
    drawn = [
        each.get("bpmnElement") for each in root.iter() if bpmn.local_names([each])[0] in ("BPMNShape", "BPMNEdge")
    ]
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == {each.id for each in (*SCENES[name].shapes, *SCENES[name].lines, *SCENES[name].pools)}


def test_the_picture_in_the_pages_is_the_one_that_is_drawn() -> None:
    """To draw it anew: `workflow diagram debit-first --format svg --output docs/images/debit-first.svg`."""
    page = Path(__file__).parents[2] / "docs" / "images" / "debit-first.svg"
    assert page.read_text("utf-8") == workflow_diagram(DEBIT_FIRST, "svg") + "\n"


def test_an_unknown_format_is_refused() -> None:
    """Never a blank picture."""
    with pytest.raises(ValueError, match="not gif"):
        workflow_diagram(DEBIT_FIRST, "gif")
    with pytest.raises(ValueError, match="not gif"):
        chain_diagram(CHAIN, "one", "gif")


def test_the_choreographed_chain_is_what_the_reactions_add_up_to() -> None:
    """No service holds the order; the picture finds it."""
    assert chain_diagram(CHAIN, "one", "text").splitlines() == [
        "PaymentInitiated → ledger: DebitAccount",
        "    AccountDebited → execution: ExecutePayment",
    ]
    assert chain_diagram(CHAIN, "other", "text") == ""
    assert "ledger_DebitAccount --> AccountDebited" in chain_diagram(CHAIN, "one", "mermaid")


def test_what_follows_from_an_event_is_drawn_once() -> None:
    """A chain that comes back to an event does not go round for ever."""
    loop: dict[str, Reactions] = {"ledger": {"one": (On(AccountDebited, DebitAccount, lambda event: None),)}}
    again = loop | {"aml": {"one": (On(PaymentInitiated, DebitAccount, lambda event: None),)}}
    assert chain_diagram(again, "one", "text").splitlines() == [
        "PaymentInitiated → aml: DebitAccount",
        "    AccountDebited → ledger: DebitAccount",
        "        AccountDebited → ledger: DebitAccount  (as above)",
    ]


def test_the_workflows_are_there_as_plain_data() -> None:
    """What `workflow list` and `workflow show` print."""
    assert [each["name"] for each in queries.workflows()] == ["debit-first", "screen-first", "guarded", "refund"]
    shown = queries.workflow("debit-first")
    assert shown is not None
    assert shown["pivot"] == "execute-payment"
    assert shown["steps"][3]["timeout_seconds"] == POST.timeout.total_seconds()
    assert queries.workflow("nope") is None


def test_where_a_saga_stands_can_be_read() -> None:
    """Beside the timeline: the step in hand and its tries."""
    bench = ServiceBench(PaymentSaga)
    bench.tell(StartSaga(order=an_order()))
    assert queries.saga(bench.session, "P1-00") == {
        "workflow": "debit-first",
        "workflow_version": 1,
        "phase": "forward",
        "step": "debit-account",
        "attempt": 1,
    }
    assert queries.saga(bench.session, "P2-00") is None
