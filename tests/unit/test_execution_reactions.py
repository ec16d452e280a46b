"""What Execution does on others' events: the evidence comes with the event, or the gate refuses it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from actors.aml.messages import BeneficiaryCleared
from actors.directory.reaction import ANY_ORDER
from actors.disbursement.messages import CancellationRequested
from actors.execution.actor import Execution
from actors.execution.messages import ExecutePayment, ExecutionStopped, SubmitInstruction
from actors.execution.model import MissingEvidence
from actors.execution.reactions import REACTIONS
from actors.ledger.messages import AccountDebited, DebitExpiryReached
from actors.messaging.message import Message
from tests.fakes.execution import FACTS, PAY, PAYMENT
from tests.fakes.turn import ServiceBench

BEFORE_CLEARANCE = replace(FACTS, screening_id=None)
BEFORE_DEBIT = replace(FACTS, debit_id=None)


def react(order: str, event: Any) -> Message | None:
    """What the service's own reaction makes of an event."""
    [on] = [on for on in REACTIONS[order] if on.event is type(event)]
    command = on.make(event)
    assert command is None or type(command) is on.command
    return command


def test_debit_first_pays_on_the_clearance() -> None:
    """The debit is in the facts, the clearance is the event."""
    command = react("debit-first", BeneficiaryCleared(screening_id=PAYMENT, facts=BEFORE_CLEARANCE))
    assert command == replace(PAY, facts=BEFORE_CLEARANCE)


def test_screen_first_pays_on_the_debit() -> None:
    """The clearance is in the facts, the debit is the event."""
    command = react("screen-first", AccountDebited(debit_id=PAYMENT, facts=BEFORE_DEBIT))
    assert command == replace(PAY, facts=BEFORE_DEBIT)


@pytest.mark.parametrize(
    ("order", "event"),
    [
        ("debit-first", BeneficiaryCleared(screening_id=PAYMENT, facts=replace(FACTS, debit_id=None))),
        ("screen-first", AccountDebited(debit_id=PAYMENT, facts=replace(FACTS, screening_id=None))),
    ],
)
def test_without_the_other_evidence_nothing_is_instructed(order: str, event: Any) -> None:
    """A chain wired wrongly is seen in the dead letters, not at the bank."""
    command = react(order, event)
    assert isinstance(command, ExecutePayment)
    with pytest.raises(MissingEvidence):
        ServiceBench(Execution).hear(command)


@pytest.mark.parametrize(
    ("event", "ending"),
    [
        (CancellationRequested(facts=FACTS, reason="changed my mind"), "cancelled"),
        (DebitExpiryReached(debit_id=PAYMENT, facts=FACTS), "rejected"),
    ],
)
def test_cancelling_and_expiry_go_through_the_gate(event: Any, ending: str) -> None:
    """Before the hand-over both stop the payment."""
    command = react(ANY_ORDER, event)
    assert command is not None
    [stopped] = ServiceBench(Execution).hear(command).answers
    assert isinstance(stopped, ExecutionStopped)
    assert (stopped.ending, stopped.facts) == (ending, FACTS)


def test_an_event_without_facts_is_a_defect() -> None:
    """Choreographed events carry the order."""
    with pytest.raises(MissingEvidence):
        react("debit-first", BeneficiaryCleared(screening_id=PAYMENT))


def test_the_reaction_s_command_is_handed_to_the_rail() -> None:
    """The same as if it had been commanded."""
    command = react("debit-first", BeneficiaryCleared(screening_id=PAYMENT, facts=BEFORE_CLEARANCE))
    assert command is not None
    [(_, task)] = ServiceBench(Execution).hear(command).tasks
    assert isinstance(task, SubmitInstruction)
