"""Limits: counts each payment once against its account's day, and gives back what is not paid."""

from __future__ import annotations

from typing import Any, ClassVar

from actors.limits import model
from actors.limits.messages import CheckLimits, LimitExceeded, LimitReleased, ReleaseLimit, WithinLimits
from actors.limits.store import MIGRATIONS, Checked, LimitsStore
from actors.runtime.service import CellContext, Service, Turn
from actors.vocabulary.money import parse_money


class PaymentLimits(Service):
    """One answer for each check id, from what the account had paid that day."""

    name = "limits"
    migrations = MIGRATIONS

    def prepare(self, context: CellContext) -> None:
        """Make the store and read the limits."""
        self._store = LimitsStore(context.session)
        per_payment, per_day = context.settings.limits.per_payment, context.settings.limits.per_day
        self._limits = model.Limits(_minor(per_payment), _minor(per_day))

    def check(self, command: CheckLimits, turn: Turn) -> None:
        """Count the amount, or say that it is too much; the same id again gets the answer that stands."""
        check_id, account_id, amount = command.check_id, command.account_id, command.amount
        known = self._store.checked(check_id)
        if known is not None:
            self._answer_again(known, command, turn)
            return
        day = model.day_of(turn.now)
        checked = Checked(check_id, account_id, amount.currency, amount.amount, day, model.WITHIN)
        try:
            model.count(self._limits, account_id, amount, self._store.counted(account_id, amount.currency, day))
        except model.LimitRefusal as refusal:
            code, text = refusal.reason.code, refusal.reason.text
            checked = checked._replace(state=model.EXCEEDED, reason_code=code, reason_text=text)
        self._store.record(checked)
        self._answer(checked, command, turn)

    def release(self, command: ReleaseLimit, turn: Turn) -> None:
        """Give back what was counted, or see to it that a late check counts nothing."""
        known = self._store.checked(command.check_id)
        if known is None:
            self._store.record(Checked(command.check_id, "", "", 0, "", model.RELEASED))
        elif known.state != model.RELEASED:
            self._store.release(known)
        turn.answer(LimitReleased(check_id=command.check_id, facts=command.facts))

    def _answer_again(self, known: Checked, command: CheckLimits, turn: Turn) -> None:
        if known.state == model.RELEASED:
            turn.answer(LimitReleased(check_id=command.check_id, facts=command.facts))
        elif not known.is_for(command.account_id, command.amount):
            reason = model.other_content(command.check_id)
            turn.answer(LimitExceeded(check_id=command.check_id, reason=reason, facts=command.facts))
        elif turn.reply_to:  # an event read again (a replay) gets none: its answer was published the first time
            self._answer(known, command, turn)

    def _answer(self, checked: Checked, command: CheckLimits, turn: Turn) -> None:
        if checked.state == model.WITHIN:
            turn.answer(WithinLimits(check_id=command.check_id, facts=command.facts))
        else:
            turn.answer(LimitExceeded(check_id=command.check_id, reason=checked.reason, facts=command.facts))

    handlers: ClassVar[Any] = {CheckLimits: check, ReleaseLimit: release}


def _minor(limits: dict[str, str]) -> dict[str, int]:
    """Configured amounts in minor units."""
    return {currency: parse_money(amount, currency, zero_allowed=True).amount for currency, amount in limits.items()}
