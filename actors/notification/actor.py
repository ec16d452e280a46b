"""Notification: hands a mail for each party whose address is known to the outbox, and says what became of it."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from actors.messaging.codec import micros
from actors.notification import model
from actors.notification.messages import (
    MailFailed,
    MailRefused,
    MailSent,
    MailSkipped,
    MailTaken,
    NotifyParties,
    RememberContact,
    SendMail,
)
from actors.notification.store import MIGRATIONS, NotificationStore
from actors.runtime.service import CellContext, Service, Turn

MAIL: Final = "mail"


class Notification(Service):
    """Reacts to the ends of payments, in both flows; nobody waits for it."""

    name = "notification"
    migrations = MIGRATIONS

    def prepare(self, context: CellContext) -> None:
        """Make the store."""
        self._store = NotificationStore(context.session)
        self._sender = context.settings.notification.sender
        self._switched_off = context.settings.notification.transport == "none"

    def remember(self, command: RememberContact, turn: Turn) -> None:
        """Keep an own copy of who is behind an account."""
        if command.owner or command.email:
            self._store.remember(command.account_id, command.owner, command.email)

    def notify(self, command: NotifyParties, turn: Turn) -> None:
        """Hand over the mails that have not been handed over yet; say who gets none, and why."""
        parties = model.PARTIES[command.ending]
        if self._switched_off:
            turn.publish(MailSkipped(party=", ".join(parties), reason=model.SWITCHED_OFF))
            return
        order = command.order
        debtor_name, debtor_address = self._store.contact(order.debtor_account)
        addresses = {model.DEBTOR: debtor_address, model.CREDITOR: order.creditor.email}
        without = [party for party in parties if not addresses[party]]
        if without:
            turn.publish(MailSkipped(party=", ".join(without), reason=model.NO_ADDRESS))
        for party in parties:
            address = addresses[party]
            if not address:
                continue
            message_id = model.message_id(order.payment_id, command.ending, party, self._sender)
            if self._store.is_new(message_id, order.payment_id, party, address, micros(turn.now)):
                mail = SendMail(
                    message_id=message_id,
                    ending=command.ending,
                    party=party,
                    address=address,
                    debtor_name=debtor_name,
                    order=order,
                    reason=command.reason,
                )
                turn.hand_over(MAIL, mail)

    def taken(self, result: MailTaken, turn: Turn) -> None:
        """The transport has the mail; that it took a repeat too is not said again."""
        if self._store.done(result.message_id, "sent", "", micros(turn.now)):
            sent = MailSent(message_id=result.message_id, party=result.party, address=result.address)
            turn.publish(sent)

    def refused(self, result: MailRefused, turn: Turn) -> None:
        """The mail will not arrive: it stands in the payment's timeline, and the payment is as it was."""
        if self._store.done(result.message_id, "failed", result.error, micros(turn.now)):
            failed = MailFailed(message_id=result.message_id, party=result.party, error=result.error)
            turn.publish(failed)

    handlers: ClassVar[Any] = {
        RememberContact: remember,
        NotifyParties: notify,
        MailTaken: taken,
        MailRefused: refused,
    }
