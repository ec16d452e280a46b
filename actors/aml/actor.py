"""AML: screens each beneficiary once, asks a person where the lists leave doubt, swaps watchlists while running."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from actors.aml import model
from actors.aml.index import BLOCKED, CLEARED, HELD, Screening
from actors.aml.messages import (
    BeneficiaryBlocked,
    BeneficiaryCleared,
    BeneficiaryHeld,
    CloseReview,
    DecideReview,
    LoadWatchlist,
    PrepareWatchlist,
    ReviewClosed,
    ReviewDecided,
    ReviewDue,
    ReviewOverdue,
    ReviewRefused,
    ScreenBeneficiary,
    WatchlistLoaded,
    WatchlistPrepared,
    WatchlistRefused,
    WatchlistUnusable,
)
from actors.aml.resource import SCREENING, ListsInForce, load_screening
from actors.aml.store import MIGRATIONS, AmlStore, HeldPayment
from actors.aml.worker import WATCHLISTS, take_prepared
from actors.messaging.codec import decode, encode, micros
from actors.messaging.envelope import CHOREOGRAPHED
from actors.messaging.message import Outcome
from actors.runtime.service import CellContext, Service, Started, Turn
from actors.vocabulary.order import PaymentFacts
from actors.vocabulary.reason import NARRATIVE, Reason
from actors.vocabulary.slots import slot_in


class Aml(Service):
    """One verdict for each screening id, from the lists in force or from a person."""

    name = "aml"
    migrations = MIGRATIONS

    def prepare(self, context: CellContext) -> None:
        """Make the store; read the watchlists once for the cell."""
        self._store = AmlStore(context.session)
        self._review_time = timedelta(seconds=context.settings.aml.review_seconds)
        lists = context.resources.get(SCREENING)
        if lists is None:
            lists = context.resources[SCREENING] = load_screening(context.settings, self._store.lists())
        self._lists: ListsInForce = lists

    def started(self, message: Started, turn: Turn) -> None:
        """Record what is in force: the configured lists at the first start, a list's new version later."""
        if self._lists.lists and not self._lists.problem and self._store.lists() != self._lists.lists:
            self._store.put_in_force(self._lists.lists, micros(turn.now))

    def screen(self, command: ScreenBeneficiary, turn: Turn) -> None:
        """Compare with the lists in force; the same id again gets the verdict that stands."""
        screening_id = command.screening_id
        name, born, country = command.name, command.date_of_birth, command.country
        found = self._lists.screen(name, born, country)
        verdict = found.verdict
        reason, case_id = "", None
        if verdict != CLEARED:
            reason = model.in_words(found)
            if verdict == HELD:
                case_id = turn.new_id("C", slot_in(turn.envelope.payment_id))
        if not self._store.record(
            screening_id, name, country, born, verdict, reason, case_id, self._lists.label, micros(turn.now)
        ):
            self._answer_again(command, turn)
        elif verdict == CLEARED:
            turn.answer(BeneficiaryCleared(screening_id=screening_id, facts=_cleared(command.facts, screening_id)))
        elif case_id:
            self._hold(command, case_id, found, turn)
        else:
            turn.answer(_blocked(screening_id, reason, command.facts))

    def close_review(self, command: CloseReview, turn: Turn) -> None:
        """The payment was stopped: nothing can be cleared under this id any more, by a person or by a repeat."""
        self._store.close(command.screening_id, micros(turn.now))
        held = self._store.open_case_of(command.screening_id)
        if held is not None:
            self._store.end_case(model.close(held.case, command.reason, turn.now))
            turn.cancel_timer(_timer(held.case.case_id))
        turn.answer(ReviewClosed(screening_id=command.screening_id, facts=command.facts))

    def decide(self, command: DecideReview, turn: Turn) -> None:
        """A person's decision ends the case; saying it again changes nothing, saying another is refused."""
        case_id = command.case_id
        held = self._store.held(case_id)
        if held is None:
            turn.answer(ReviewRefused(case_id=case_id, error=f"There is no case {case_id}; see `review list`."))
            return
        before = held.case
        try:
            case = model.decide(before, command.decision, command.reason, turn.now)
        except model.ReviewRefused as refusal:
            turn.answer(ReviewRefused(case_id=case_id, error=str(refusal)))
            return
        if case is not before:
            self._store.end_case(case)
            reason = f"{case.status} on review: {case.reason}"
            self._store.decide(case.screening_id, case.status, reason)
            turn.cancel_timer(_timer(case_id))
            facts = _facts(held)
            if case.status == CLEARED:
                cleared = _cleared(facts, case.screening_id)
                self._tell(held, BeneficiaryCleared(screening_id=case.screening_id, facts=cleared), turn)
            else:
                self._tell(held, _blocked(case.screening_id, reason, facts), turn)
        turn.answer(ReviewDecided(case_id=case_id, payment_id=case.payment_id, decision=command.decision))

    def review_due(self, message: ReviewDue, turn: Turn) -> None:
        """Nobody has decided in time: say so, once; the case stays open."""
        held = self._store.held(message.case_id)
        if held is None or held.overdue or not model.is_overdue(held.case, turn.now):
            return
        case = held.case
        self._store.mark_overdue(case.case_id)
        reason = Reason(NARRATIVE, f"nobody has decided case {case.case_id} in time; it was held because {case.hits}")
        overdue = ReviewOverdue(screening_id=case.screening_id, case_id=case.case_id, reason=reason, facts=_facts(held))
        self._tell(held, overdue, turn)

    def load_watchlist(self, command: LoadWatchlist, turn: Turn) -> None:
        """Have the list read and indexed outside the turn; whoever asked hears when it is in force."""
        task = PrepareWatchlist(
            name=command.name,
            path=command.path,
            source=command.source,
            format=command.format,
            in_force=self._lists.lists,
            requester=turn.reply_to,
        )
        turn.hand_over(WATCHLISTS, task)

    def watchlist_prepared(self, result: WatchlistPrepared, turn: Turn) -> None:
        """Put the prepared index in force, unless other lists came in force while it was made."""
        task = result.task
        index = take_prepared(result.token)
        if index is None or self._lists.lists != task.in_force:
            turn.hand_over(WATCHLISTS, _rebuilt(task, self._lists.lists))
            return
        self._store.put_in_force(result.lists, micros(turn.now))
        self._lists.problem = ""
        self._lists.swap(index, result.lists)
        loaded = next(each for each in result.lists if each.name == task.name)
        answer = WatchlistLoaded(name=loaded.name, version=loaded.version, entries=loaded.entries)
        turn.answer(answer, to=task.requester)

    def watchlist_unusable(self, result: WatchlistUnusable, turn: Turn) -> None:
        """The lists in force stay."""
        turn.answer(WatchlistRefused(name=result.name, error=result.error), to=result.requester)

    def _hold(self, command: ScreenBeneficiary, case_id: str, found: Screening, turn: Turn) -> None:
        case = model.open_case(
            case_id=case_id,
            payment_id=turn.envelope.payment_id,
            screening_id=command.screening_id,
            name=command.name,
            screening=found,
            now=turn.now,
            review_time=self._review_time,
        )
        facts = None if command.facts is None else encode(command)
        held = HeldPayment(case, False, turn.reply_to, turn.envelope.workflow, facts)
        self._store.open_case(held, command.country, command.date_of_birth, found.score)
        turn.timer(_timer(case_id), self._review_time, ReviewDue(case_id=case_id))
        turn.answer(self._held(command, case_id, case.hits))

    def _held(self, command: ScreenBeneficiary, case_id: str, hits: str) -> BeneficiaryHeld:
        return BeneficiaryHeld(
            screening_id=command.screening_id,
            case_id=case_id,
            reason=Reason(NARRATIVE, f"held for review: {hits}"),
            review_seconds=max(1, round(self._review_time.total_seconds())),
            facts=command.facts,
        )

    def _answer_again(self, command: ScreenBeneficiary, turn: Turn) -> None:
        """What stands under this id; nothing that could pay once the payment was stopped, or for another name."""
        screened = self._store.screened(command.screening_id)
        assert screened is not None
        screening_id, facts = command.screening_id, command.facts
        if screened.closed:
            turn.answer(ReviewClosed(screening_id=screening_id, facts=facts))
        elif screened[:3] != (command.name, command.country, command.date_of_birth):
            sentence = f"screening {screening_id} stands for another beneficiary"
            turn.answer(BeneficiaryBlocked(screening_id=screening_id, reason=Reason(NARRATIVE, sentence), facts=facts))
        elif not turn.reply_to:
            return  # an event read again (a replay): the verdict was published the first time
        elif screened.verdict == CLEARED:
            turn.answer(BeneficiaryCleared(screening_id=screening_id, facts=_cleared(facts, screening_id)))
        elif screened.verdict == BLOCKED:
            turn.answer(_blocked(screening_id, screened.reason, facts))
        else:
            turn.answer(self._held(command, screened.case_id or "", screened.reason))

    def _tell(self, held: HeldPayment, outcome: Outcome, turn: Turn) -> None:
        """Say late what became of a screening, to whom it was promised."""
        payment_id = held.case.payment_id
        if held.reply_to:
            turn.send(held.reply_to, outcome, payment_id=payment_id)
        else:
            turn.publish(outcome, payment_id=payment_id, flow=CHOREOGRAPHED, workflow=held.workflow)

    handlers: ClassVar[Any] = {
        Started: started,
        ScreenBeneficiary: screen,
        CloseReview: close_review,
        DecideReview: decide,
        ReviewDue: review_due,
        LoadWatchlist: load_watchlist,
        WatchlistPrepared: watchlist_prepared,
        WatchlistUnusable: watchlist_unusable,
    }


def _timer(case_id: str) -> str:
    return f"review/{case_id}"


def _cleared(facts: PaymentFacts | None, screening_id: str) -> PaymentFacts | None:
    """The facts with the evidence of the clearance."""
    if facts is None:
        return None
    return PaymentFacts(order=facts.order, debit_id=facts.debit_id, screening_id=screening_id)


def _blocked(screening_id: str, reason: str, facts: PaymentFacts | None) -> BeneficiaryBlocked:
    return BeneficiaryBlocked(screening_id=screening_id, reason=Reason(model.SANCTIONS, reason), facts=facts)


def _facts(held: HeldPayment) -> PaymentFacts | None:
    """The facts that were stored with the case, inside the command that brought them."""
    if held.facts is None:
        return None
    command = decode(held.facts)
    assert isinstance(command, ScreenBeneficiary)
    return command.facts


def _rebuilt(task: PrepareWatchlist, in_force: tuple[Any, ...]) -> PrepareWatchlist:
    return PrepareWatchlist(
        name=task.name,
        path=task.path,
        source=task.source,
        format=task.format,
        in_force=in_force,
        requester=task.requester,
    )
