"""The Ledger: load, ask the model, record, answer. What is allowed stands in `model`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar

from actors.ledger import credits, model
from actors.ledger.messages import (
    AccountClosed,
    AccountDebited,
    AccountOpened,
    AccountRefused,
    BookReturn,
    CloseAccount,
    CreditPosted,
    CreditRefused,
    CreditReserved,
    CreditVoided,
    CreditVoidRefused,
    CreditWithheld,
    DebitAccount,
    DebitExpiryDue,
    DebitExpiryReached,
    DebitPosted,
    DebitRefused,
    DebitVoided,
    DepositMoney,
    MoneyDeposited,
    OpenAccount,
    PostCredit,
    PostDebit,
    PostingRefused,
    ReserveCredit,
    ReturnBooked,
    ReturnSuspended,
    VoidCredit,
    VoidDebit,
    VoidRefused,
)
from actors.ledger.store import MIGRATIONS, SEALED, LedgerStore
from actors.messaging.codec import micros
from actors.messaging.message import Message
from actors.runtime.service import CellContext, Handler, Service, Turn
from actors.vocabulary.money import Money
from actors.vocabulary.order import PaymentFacts
from actors.vocabulary.slots import slot_of


class Ledger(Service):
    """Double entry for the debtor accounts of one cell.

    A command that is repeated gets its answer again; an event that is read again (a replay) gets none, since
    what came of it was published the first time, and the payment may have gone on since.
    """

    name = "ledger"
    migrations = MIGRATIONS
    sealed = (SEALED,)

    def prepare(self, context: CellContext) -> None:
        """Take the session and the settings."""
        self.store = LedgerStore(context.session)
        self.slots = context.slots
        self.hold = timedelta(seconds=context.settings.ledger.hold_seconds)
        self.rail = context.settings.execution.rail

    def open_account(self, command: OpenAccount, turn: Turn) -> None:
        """Open an account, with a first deposit if there is one."""
        name = command.account_id
        if slot_of(name) not in self.slots:
            turn.answer(AccountRefused(account_id=name, error=f"account {name} lives in another partition"))
            return
        terms = model.Terms(command.currency, command.overdraft, command.owner, command.email, command.deposit)
        account, had = self.store.account(name), self.store.terms(name)
        try:
            empty = model.open_account((account, had) if account and had else None, name, terms)
        except model.Refusal as refusal:
            turn.answer(AccountRefused(account_id=name, error=refusal.reason.text))
            return
        opened = AccountOpened(
            account_id=name,
            currency=command.currency,
            owner=command.owner,
            email=command.email,
            already=account is not None,
        )
        if account is None:
            self.store.open(name, terms)
            if terms.deposit:
                amount = Money(terms.deposit, terms.currency)
                self.store.book(model.deposit(empty, f"opening:{name}", name, amount), micros(turn.now))
            turn.publish(opened)
        turn.answer(opened)

    def deposit(self, command: DepositMoney, turn: Turn) -> None:
        """Book money from the funding account, once per deposit id."""
        name, amount = command.account_id, command.amount
        known = self.store.deposit(command.deposit_id)
        try:
            if known is not None:
                model.repeat_deposit(known, name, amount)
            else:
                postings = model.deposit(self.store.account(name), command.deposit_id, name, amount)
                self.store.add_deposit(command.deposit_id, name, amount)
                self.store.book(postings, micros(turn.now))
        except model.Refusal as refusal:
            turn.answer(AccountRefused(account_id=name, error=refusal.reason.text))
            return
        turn.answer(MoneyDeposited(deposit_id=command.deposit_id, account_id=name))

    def close(self, command: CloseAccount, turn: Turn) -> None:
        """Close an account that is empty."""
        name = command.account_id
        account = self.store.account(name)
        try:
            closed = model.close(account, name)
        except model.Refusal as refusal:
            turn.answer(AccountRefused(account_id=name, error=refusal.reason.text))
            return
        if closed != account:
            self.store.close(name)
            turn.publish(AccountClosed(account_id=name))
        turn.answer(AccountClosed(account_id=name))

    def debit(self, command: DebitAccount, turn: Turn) -> None:
        """Hold the amount, or refuse; a known id is answered from what stands under it."""
        debit_id, account_id, amount = command.debit_id, command.account_id, command.amount
        facts = command.facts
        clearing = model.clearing_id(self.rail, amount.currency)
        refusal: model.Refusal | None = None
        try:
            debit = model.debit(self.store.account(account_id), debit_id, account_id, amount, clearing)
        except model.Refusal as said:
            refusal = said
            debit = model.refused(debit_id, account_id, amount, clearing, said.reason)
        attempt = command.attempt
        new = self.store.add(debit, attempt) or (attempt > 1 and self._try_anew(debit, attempt))
        if not new:
            refusal = self._repeat(debit_id, account_id, amount)
            if not turn.reply_to and not isinstance(refusal, model.DebitConflict):
                return
        if refusal is not None:
            turn.answer(DebitRefused(debit_id=debit_id, reason=refusal.reason, facts=facts, attempt=attempt))
            return
        if facts is not None:
            facts = PaymentFacts(order=facts.order, debit_id=debit_id, screening_id=facts.screening_id)
        if new:
            due = DebitExpiryDue(debit_id=debit_id, reply_to=turn.reply_to, facts=facts)
            turn.timer(f"expiry/{debit_id}", command.expires_after or self.hold, due)
        turn.answer(AccountDebited(debit_id=debit_id, facts=facts))

    def _try_anew(self, debit: model.Debit, attempt: int) -> bool:
        """A later attempt at a debit that was refused; False where it is known, or what stands is no refusal."""
        known = self.store.debit(debit.debit_id)
        asked = Money(debit.amount, debit.currency)
        may = known is not None and model.may_be_tried_anew(known, debit.account_id, asked)
        return may and self.store.try_anew(debit, attempt)

    def _repeat(self, debit_id: str, account_id: str, amount: Money) -> model.Refusal | None:
        known = self.store.debit(debit_id)
        assert known is not None, f"debit {debit_id} is neither new nor known"
        try:
            model.repeat_debit(known, account_id, amount)
        except model.Refusal as refusal:
            return refusal
        return None

    def post(self, command: PostDebit, turn: Turn) -> None:
        """Make the debit final, or say why not: never a void."""
        debit_id = command.debit_id
        known = self.store.debit(debit_id)
        try:
            posted = model.post(known, debit_id)
        except model.Refusal as refusal:
            turn.answer(PostingRefused(debit_id=debit_id, reason=refusal.reason, facts=command.facts))
            return
        if posted is not known:
            self.store.post(posted, model.postings_of(posted), micros(turn.now))
            turn.cancel_timer(f"expiry/{debit_id}")
        elif not turn.reply_to:
            return
        turn.answer(DebitPosted(debit_id=debit_id, facts=command.facts))

    def void(self, command: VoidDebit, turn: Turn) -> None:
        """Give the money back, or leave a tombstone; the first void's reason stays."""
        debit_id = command.debit_id
        known = self.store.debit(debit_id)
        try:
            voided = model.void(known, debit_id, command.reason, command.ending)
        except model.Refusal as refusal:
            turn.answer(VoidRefused(debit_id=debit_id, reason=refusal.reason, facts=command.facts))
            return
        if voided is not known:
            self.store.void(voided)
            turn.cancel_timer(f"expiry/{debit_id}")
        elif not turn.reply_to and (known.reason, known.ending) == (command.reason, command.ending):
            return
        elif voided.state == model.REFUSED:
            self.store.refuse_for_ever(debit_id)
        reason, ending = command.reason, command.ending
        if voided.ending is not None:  # the first void's; a debit that was refused has none
            reason, ending = voided.reason, voided.ending
        never_made = voided.state != model.VOIDED
        turn.answer(
            DebitVoided(debit_id=debit_id, reason=reason, ending=ending, never_made=never_made, facts=command.facts)
        )

    def expire(self, due: DebitExpiryDue, turn: Turn) -> None:
        """Announce, once, that the hold's time is up; release nothing."""
        if self.store.announce_expiry(due.debit_id):
            turn.answer(DebitExpiryReached(debit_id=due.debit_id, facts=due.facts), to=due.reply_to)

    def book_return(self, command: BookReturn, turn: Turn) -> None:
        """Book returned money to the debtor or into suspense, once.

        In the choreographed flow nobody would send a refused return again, so one that overtakes its posting fails:
        it is tried again, and at last a dead letter behind that of the posting.
        """
        return_id, debit_id = command.return_id, command.debit_id
        earlier = self.store.returned(return_id, debit_id)
        known = self.store.debit(debit_id)
        if command.facts is not None:
            model.must_not_overtake(known, return_id)
        account = self.store.account(known.account_id) if known else None
        asked = model.Return(return_id, debit_id, command.reason.code, command.reason.text)
        try:
            booked = model.book_return(asked, known, earlier, account, self.store.credited(debit_id))
        except model.Refusal as refusal:
            turn.answer(PostingRefused(debit_id=debit_id, reason=refusal.reason, facts=command.facts))
            return
        if booked is not earlier:
            assert known is not None
            self.store.add_return(booked)
            self.store.book(model.return_postings(known, booked), micros(turn.now))
        elif not turn.reply_to:
            return
        outcome = ReturnSuspended if booked.suspended else ReturnBooked
        turn.answer(outcome(return_id=return_id, debit_id=debit_id, reason=booked.reason, facts=command.facts))

    def reserve_credit(self, command: ReserveCredit, turn: Turn) -> None:
        """Set the amount aside, or refuse; a known id is answered from what stands under it."""
        credit_id, debit_id, amount, facts = command.credit_id, command.debit_id, command.amount, command.facts
        known, refusal = self.store.credit(credit_id), None
        try:
            if known is not None:
                credits.repeat(known, debit_id, amount)
            else:
                credit = self._new_credit(command)
        except model.Refusal as said:
            refusal = said
            credit = credits.refused(credit_id, debit_id, amount, said.reason)
        if known is None:
            self.store.add_credit(credit)
        elif not turn.reply_to and not isinstance(refusal, credits.CreditConflict):
            return
        if refusal is not None:
            turn.answer(CreditRefused(credit_id=credit_id, reason=refusal.reason, facts=facts))
            return
        if facts is not None:
            facts = PaymentFacts(order=facts.order, debit_id=credit_id, screening_id=facts.screening_id)
        turn.answer(CreditReserved(credit_id=credit_id, facts=facts))

    def _new_credit(self, command: ReserveCredit) -> credits.Credit:
        debit = self.store.debit(command.debit_id)
        account, taken = None, 0
        if debit is not None:
            account = self.store.account(debit.account_id)
            taken = debit.amount if self.store.is_returned(debit.debit_id) else self.store.credited(debit.debit_id)
        return credits.reserve(
            command.credit_id, command.amount, debit, account, taken, command.asked_at, command.until
        )

    def post_credit(self, command: PostCredit, turn: Turn) -> None:
        """Give the money to the debtor or to suspense, or say why neither."""
        credit_id, facts = command.credit_id, command.facts
        known = self.store.credit(credit_id)
        try:
            posted = credits.post(known, credit_id, self.store.account(known.account_id) if known else None)
        except model.Refusal as refusal:
            turn.answer(CreditWithheld(credit_id=credit_id, reason=refusal.reason, facts=facts))
            return
        if posted is not known:
            self.store.end_credit(posted)
            self.store.book(credits.postings_of(posted), micros(turn.now))
        elif not turn.reply_to:
            return
        if posted.suspended:
            turn.answer(CreditWithheld(credit_id=credit_id, reason=posted.reason, suspended=True, facts=facts))
        else:
            turn.answer(CreditPosted(credit_id=credit_id, facts=facts))

    def void_credit(self, command: VoidCredit, turn: Turn) -> None:
        """Give the right up, or leave a tombstone; the first void's reason stays."""
        credit_id, facts = command.credit_id, command.facts
        known = self.store.credit(credit_id)
        try:
            voided = credits.void(known, credit_id, command.reason, command.ending)
        except model.Refusal as refusal:
            turn.answer(CreditVoidRefused(credit_id=credit_id, reason=refusal.reason, facts=facts))
            return
        if known is None:
            self.store.add_credit(voided)
        elif voided is not known:
            self.store.end_credit(voided)
        elif not turn.reply_to and (known.reason, known.ending) == (command.reason, command.ending):
            return
        reason, ending = command.reason, command.ending
        if voided.ending is not None:  # the first void's; a credit that was refused has none
            reason, ending = voided.reason, voided.ending
        never_made = voided.state != model.VOIDED
        turn.answer(CreditVoided(credit_id=credit_id, reason=reason, ending=ending, never_made=never_made, facts=facts))

    handlers: ClassVar[Mapping[type[Message], Handler]] = {
        OpenAccount: open_account,
        DepositMoney: deposit,
        CloseAccount: close,
        DebitAccount: debit,
        PostDebit: post,
        VoidDebit: void,
        DebitExpiryDue: expire,
        BookReturn: book_return,
        ReserveCredit: reserve_credit,
        PostCredit: post_credit,
        VoidCredit: void_credit,
    }
