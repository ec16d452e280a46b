"""What a restarted payment had reached beyond steps under way together is undone, each step in its turn."""

from __future__ import annotations

from actors.approval.messages import ApprovalWithdrawn, WithdrawApproval
from actors.ledger.messages import VoidDebit
from actors.limits.messages import ReleaseLimit
from actors.payment.engine import advance, start
from actors.payment.model import DONE, Branch
from actors.payment.moves import undo
from actors.payment.workflow import GUARDED
from actors.vocabulary.money import Money
from actors.vocabulary.reason import Reason
from tests.fakes.workflow_script import NOW, an_order


def test_what_was_reached_after_steps_together_is_undone_after_a_restart_among_them() -> None:
    """It stood at the approval, was started again from a check and stopped: its money may not stay held for ever."""
    order = an_order(amount=Money(2_000_000, "EUR"), workflow="guarded")
    route = GUARDED.route(order)
    names = [step.name for step in route.steps]
    checks = names.index("screen-beneficiary")
    again = start(route, order, NOW).state._replace(
        step=checks, branches=(Branch(outcome=DONE),) * 2, reached=names.index("approve-payment")
    )
    decision = undo(route, again, checks, Reason("CUST", "a mistake"), "cancelled")
    assert isinstance(decision.sends[0][1], WithdrawApproval)
    decision = advance(route, decision.state, ApprovalWithdrawn(approval_id=order.payment_id), NOW)
    assert isinstance(decision.sends[0][1], ReleaseLimit | VoidDebit)
