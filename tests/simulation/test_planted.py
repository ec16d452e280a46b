"""The net holds fish: defects planted in the real code, one at a time, and the simulator finds each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from actors.aml.actor import Aml
from actors.aml.messages import BeneficiaryCleared
from actors.approval import model as approval
from actors.approval.actor import ApprovalDesk
from actors.approval.messages import ApprovalGranted, ApprovalRequested, RequestApproval
from actors.approval.model import Approval
from actors.disbursement.store import DisbursementStore
from actors.execution import model as gate
from actors.execution.actor import Execution
from actors.execution.messages import EXECUTED, PaymentExecuted
from actors.execution.store import Entry, ExecutionStore
from actors.ledger import model as ledger
from actors.ledger.store import LedgerStore
from actors.messaging.codec import envelope_fields
from actors.messaging.frames import GATEWAY, pack_frame
from actors.payment import migration, saga
from actors.payment.definition import Route
from actors.payment.model import FORWARD, State
from actors.payment.saga import PaymentSaga
from actors.runtime.links import Links
from actors.runtime.outbox import Outboxes
from actors.runtime.retries import Retries
from actors.runtime.rounds import Rounds
from actors.runtime.timers import Timers
from actors.runtime.turn import Turns
from actors.simulation import workflows
from actors.simulation.run import simulate
from actors.simulation.world import Plan
from actors.store.session import StoreFailed
from actors.store.sqlite import SqliteSession

SEEDS = 25  # within so many worlds each defect must be found
PLAN = Plan(payments=120, intensity=2.0)
MANY_SAGAS = Plan(payments=200, flow="orchestrated")  # for what concerns few of them

Patch = pytest.MonkeyPatch
DEFECTS: dict[str, tuple[Callable[[Patch], None], str, Plan]] = {}


def defect(found_as: str, plan: Plan = PLAN) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Register a defect with an expression that the broken promise must match."""

    def register(plant: Callable[[Patch], None]) -> Callable[[Patch], None]:
        DEFECTS[plant.__name__] = (plant, found_as, plan)
        return plant

    return register


@defect("twice")
def a_link_takes_every_frame_that_comes(patch: Patch) -> None:
    """What was repeated on the way is handled again."""

    def take(self: Links, peer: str, content: Any) -> list[Any]:
        link = self._links[peer]
        if not content.envelopes:
            return []
        link.owes_answer = True
        link.last_in = max(link.last_in, content.number + len(content.envelopes) - 1)
        self._touched.add(peer)
        return list(content.envelopes)

    patch.setattr(Links, "take", take)


@defect("before the commit")
def tasks_are_released_before_the_commit(patch: Patch) -> None:
    """A worker may do what never was."""
    write = Turns._write

    def write_and_release(self: Turns, now: Any) -> None:
        write(self, now)
        self._outboxes.release()

    patch.setattr(Turns, "_write", write_and_release)


@defect("acknowledged an order that it has not committed|stands for two payments")
def orders_are_acknowledged_before_the_commit(patch: Patch) -> None:
    """A client believes in an order that a failed commit has forgotten."""
    turn = Rounds._turn

    def hasty(self: Rounds, inputs: Any, frames: list[tuple[str, bytes]], acknowledged: int) -> None:
        try:
            turn(self, inputs, frames, acknowledged)
        except StoreFailed:
            replies = [envelope_fields(reply) for reply in self.turns._consequences.replies]
            frames.append(("gateway", pack_frame(GATEWAY, 0, 0, replies)))
            raise

    patch.setattr(Rounds, "_turn", hasty)


@defect("its debit was voided and became posted")
def a_voided_debit_is_posted(patch: Patch) -> None:
    """The bank's second word is believed, and the ledger books it."""

    def believe(self: Execution, entry: Entry, answer: Any, turn: Any) -> None:
        if answer.verdict == EXECUTED:
            executed = PaymentExecuted(instruction_id=entry.instruction_id, facts=self.store.facts(entry))
            turn.answer(executed, entry.reply_to, workflow=entry.workflow)

    post, allow = LedgerStore.post, ledger.post

    def forgetful(debit: ledger.Debit | None, debit_id: str) -> ledger.Debit:
        voided = debit is not None and debit.state == ledger.VOIDED
        return allow(debit._replace(state=ledger.PENDING) if debit and voided else debit, debit_id)

    def post_all(self: LedgerStore, debit: Any, postings: Any, at: int) -> None:
        self._write("UPDATE debits SET state = 'pending' WHERE debit_id = ? AND state = 'voided'", (debit.debit_id,))
        post(self, debit, postings, at)

    patch.setattr(Execution, "_contradict", believe)
    patch.setattr(ledger, "post", forgetful)
    patch.setattr(LedgerStore, "post", post_all)


@defect("no timer will ever ask the rail")
def a_timer_is_lost(patch: Patch) -> None:
    """Nobody asks the bank that is silent."""
    change = Timers.change

    def lose(self: Timers, owner: str, key: str, due: Any, envelope: Any) -> None:
        if due is None or not key.startswith("query/"):
            change(self, owner, key, due, envelope)

    patch.setattr(Timers, "change", lose)


@defect("the bank says executed, and its instruction is in_doubt")
def a_late_answer_of_the_rail_is_ignored(patch: Patch) -> None:
    """What is in doubt stays so, though the bank has spoken."""
    deaf = {key: rule for key, rule in gate.RULES.items() if key != (gate.IN_DOUBT, EXECUTED)}
    patch.setattr(gate, "RULES", deaf)


@defect("a second instruction for one payment|never recorded")
def a_resend_goes_under_another_instruction_id(patch: Patch) -> None:
    """To the bank it is another payment."""
    recorded = Entry.recorded_command

    def renamed(self: Entry) -> Any:
        command = recorded(self)
        return replace(command, instruction_id=f"{command.instruction_id}-again")

    patch.setattr(Entry, "recorded_command", renamed)


@defect("no worker has finished")
def tasks_are_forgotten_at_a_restart(patch: Patch) -> None:
    """What stood in the outbox when the process died is handed to nobody."""
    start = Outboxes.open

    def forget(self: Outboxes) -> None:
        start(self)
        for runner in self.workers.values():
            runner._tasks.clear()  # type: ignore[attr-defined]

    patch.setattr(Outboxes, "open", forget)


@defect("screened as held")
def a_held_beneficiary_is_cleared(patch: Patch) -> None:
    """Money leaves for somebody whom a person should have looked at."""

    def wave_through(self: Aml, command: Any, case_id: str, found: Any, turn: Any) -> None:
        facts = command.facts and replace(command.facts, screening_id=command.screening_id)
        turn.answer(BeneficiaryCleared(screening_id=command.screening_id, facts=facts))

    patch.setattr(Aml, "_hold", wave_through)


@defect("no timer will ever ask the rail|handled .* twice|nobody follows it|is lost|the log of|nobody was told so")
def what_a_handler_did_stands_though_it_raised(patch: Patch) -> None:
    """Its second attempt finds its own traces and takes them for somebody's."""
    patch.setattr(SqliteSession, "take_back", SqliteSession.release)


@defect("stands for two payments")
def a_claimed_key_is_forgotten(patch: Patch) -> None:
    """The order that is sent again pays again."""

    def claim(self: DisbursementStore, key: str, digest: bytes, payment_id: str, message_id: str) -> bool:
        row = (key, digest + message_id.encode(), payment_id)
        return bool(self._write("INSERT OR REPLACE INTO claims VALUES (?, ?, ?)", row))

    patch.setattr(DisbursementStore, "claim", claim)


@defect("voided though an instruction is recorded")
def the_gate_lets_itself_be_closed_behind_an_instruction(patch: Patch) -> None:
    """A hold that expires, or a cancellation, gives back what the bank is paying."""
    patch.setattr(ExecutionStore, "stop", lambda *_: True)


@defect("acknowledged to")
def an_answered_link_frame_is_not_remembered(patch: Patch) -> None:
    """After a restart a peer's frame counts as new."""
    write = Links.write

    def forget(self: Links) -> None:
        known = {peer: link.last_in for peer, link in self._links.items()}
        for link in self._links.values():
            link.last_in = 0
        write(self)
        for peer, link in self._links.items():
            link.last_in = known[peer]

    patch.setattr(Links, "write", forget)


@defect("after a later message")
def messages_overtake_one_that_is_parked(patch: Patch) -> None:
    """What happened to a payment later is handled first."""
    park = Retries.park

    def hide(self: Retries, *what: Any, **how: Any) -> None:
        park(self, *what, **how)
        self.conversations.clear()

    patch.setattr(Retries, "park", hide)


@defect("never tried again")
def what_is_parked_stays_so(patch: Patch) -> None:
    """A handler that failed once is never given its message again."""

    def due(self: Retries, now: Any, limit: int) -> list[Any]:
        self.next_due = None  # or the cell would do nothing but look
        return []

    patch.setattr(Retries, "due", due)


@defect("it was paid, and check-limits was never done", MANY_SAGAS)
def a_moved_payment_leaves_out_a_step(patch: Patch) -> None:
    """It stands behind the place at which the other version would have asked."""
    patch.setattr(migration, "_same_past", lambda *_: None)


@defect("its journal does not replay under", MANY_SAGAS)
def a_moved_payment_forgets_where_it_stood(patch: Patch) -> None:
    """What is under way counts as done, and nobody has done it."""

    def hasty(before: Route, after: Route, state: State) -> State:
        there = migration.moved(before, after, state)
        goes_on = there.phase == FORWARD and not there.branches and there.step < after.pivot
        return there._replace(step=there.step + 1) if goes_on else there

    patch.setattr(saga, "moved", hasty)


@defect("approved by .*, and needs 2")
def one_person_is_enough(patch: Patch) -> None:
    """The first yes grants what takes two."""

    def agree(asked: Approval, by: str, *rest: Any) -> Approval:
        return allow(replace(asked, needed=1), by, *rest)

    allow = approval.agree
    patch.setattr(approval, "agree", agree)


@defect("approved by .*, and needs 2")
def whoever_agrees_twice_counts_twice(patch: Patch) -> None:
    """Nobody compares the names."""
    patch.setattr(approval, "_same_person", lambda by, names: "")


@defect("approved by nobody, and needs")
def asking_is_taken_for_the_answer(patch: Patch) -> None:
    """Approval asks people, and says at once that they have agreed."""
    ask = ApprovalDesk.request

    def hasty(self: ApprovalDesk, command: Any, turn: Any) -> None:
        ask(self, command, turn)
        turn.answer(ApprovalGranted(approval_id=command.approval_id, facts=command.facts))

    patch.setitem(ApprovalDesk.handlers, RequestApproval, hasty)


@defect("instructed, and its approval is open")
def an_approval_is_not_waited_for(patch: Patch) -> None:
    """The saga goes on once people have been asked."""
    for workflow in workflows.VERSIONS.values():
        for route in workflow.routes():
            if ApprovalGranted in route.roles:
                patch.setitem(route.roles, ApprovalRequested, route.roles[ApprovalGranted])


@defect("it is paused, and its saga says")
def a_paused_payment_goes_on(patch: Patch) -> None:
    """What arrives is taken as if nobody had said anything."""
    take = PaymentSaga._take

    def deaf(self: PaymentSaga, message: Any, turn: Any) -> None:
        state = self._state or self._load(turn.envelope.target)
        paused, self._state = state.paused, state._replace(paused="")
        take(self, message, turn)
        self._state = self._state._replace(paused=paused)

    for kind, handler in PaymentSaga.handlers.items():
        if handler is take:
            patch.setitem(PaymentSaga.handlers, kind, deaf)


@pytest.mark.parametrize("name", DEFECTS)
def test_the_simulator_finds_a_planted_defect(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulator that finds nothing proves nothing, unless it would have found something."""
    plant, found_as, plan = DEFECTS[name]
    plant(monkeypatch)
    for seed in range(1, SEEDS + 1):
        violations = simulate(seed, plan).violations
        if violations:
            assert any(re.search(found_as, violation["promise"]) for violation in violations), violations
            return
    pytest.fail(f"{name} was not found in {SEEDS} worlds")
