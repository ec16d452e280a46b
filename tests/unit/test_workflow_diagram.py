"""The drawn workflows: every picture comes from the data, so a moved line moves in the picture."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from actors.directory.reaction import On, Reactions
from actors.disbursement.messages import PaymentInitiated
from actors.execution.messages import ExecutePayment
from actors.ledger.messages import AccountDebited, DebitAccount
from actors.payment import queries
from actors.payment.choreography import choreography_diagram
from actors.payment.definition import Workflow
from actors.payment.diagram import FORMATS, diagram, draw
from actors.payment.messages import StartSaga
from actors.payment.saga import PaymentSaga
from actors.payment.workflow import DEBIT_FIRST, POST, SCREEN_FIRST
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
    drawn = diagram(workflow, format)
    for step in queries.describe(workflow)["steps"]:
        for name in (step["name"], step["command"], step["done"], step["compensation"] or ""):
            assert name in drawn


@pytest.mark.parametrize("format", FORMATS)
def test_the_order_of_the_lines_is_the_order_of_the_picture(format: str) -> None:
    """Two orders, two pictures."""
    debit_first, screen_first = draw("debit-first", format), draw("screen-first", format)
    assert debit_first.index("debit-account") < debit_first.index("screen-beneficiary")
    assert screen_first.index("screen-beneficiary") < screen_first.index("debit-account")


def test_a_diagram_as_svg_is_xml() -> None:
    """A browser takes it as it is."""
    for picture in (draw("debit-first", "svg"), choreography_diagram(CHAIN, "one", "svg")):
        assert ElementTree.fromstring(picture).tag.endswith("svg")


def test_an_unknown_workflow_or_format_is_refused() -> None:
    """Never a blank picture."""
    with pytest.raises(KeyError, match="no workflow nope"):
        draw("nope", "text")
    with pytest.raises(ValueError, match="not gif"):
        draw("debit-first", "gif")
    with pytest.raises(ValueError, match="not gif"):
        choreography_diagram(CHAIN, "one", "gif")


def test_the_choreographed_chain_is_what_the_reactions_add_up_to() -> None:
    """No service holds the order; the picture finds it."""
    assert choreography_diagram(CHAIN, "one", "text").splitlines() == [
        "PaymentInitiated → ledger: DebitAccount",
        "    AccountDebited → execution: ExecutePayment",
    ]
    assert choreography_diagram(CHAIN, "other", "text") == ""
    assert "ledger_DebitAccount --> AccountDebited" in choreography_diagram(CHAIN, "one", "mermaid")


def test_what_follows_from_an_event_is_drawn_once() -> None:
    """A chain that comes back to an event does not go round for ever."""
    loop: dict[str, Reactions] = {"ledger": {"one": (On(AccountDebited, DebitAccount, lambda event: None),)}}
    again = loop | {"aml": {"one": (On(PaymentInitiated, DebitAccount, lambda event: None),)}}
    assert choreography_diagram(again, "one", "text").splitlines() == [
        "PaymentInitiated → aml: DebitAccount",
        "    AccountDebited → ledger: DebitAccount",
        "        AccountDebited → ledger: DebitAccount  (as above)",
    ]


def test_the_workflows_are_there_as_plain_data() -> None:
    """What `workflow list` and `workflow show` print."""
    assert [each["name"] for each in queries.workflows()] == ["debit-first", "screen-first", "refund"]
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
