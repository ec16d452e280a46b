"""Who is told of a payment's end, and in which words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from actors.vocabulary.order import PaymentOrder
from actors.vocabulary.reason import REGULATORY_REASON, Reason

DEBTOR: Final = "debtor"
CREDITOR: Final = "creditor"
BOTH: Final = (DEBTOR, CREDITOR)

# Nothing has been decided yet when a person is called: that is between the payer and us.
PARTIES: Final[Mapping[str, tuple[str, ...]]] = {
    "completed": BOTH,
    "rejected": BOTH,
    "cancelled": BOTH,
    "returned": BOTH,
    "needs_attention": (DEBTOR,),
}

NO_ADDRESS: Final = "no address is known"
SWITCHED_OFF: Final = "mail is switched off"


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail's subject and text."""

    subject: str
    text: str


def message_id(payment_id: str, ending: str, party: str, sender: str) -> str:
    """The Message-ID of a mail, the same whenever it is made again.

    >>> message_id("P1-00", "completed", "debtor", "payments@paysaga.example")
    '<P1-00.completed.debtor@paysaga.example>'
    """
    return f"<{payment_id}.{ending}.{party}@{sender.rpartition('@')[2] or 'localhost'}>"


def letter(ending: str, party: str, order: PaymentOrder, reason: Reason | None, debtor_name: str) -> Letter:
    """What `party` reads when the payment has ended so.

    The creditor isn't told why the payer couldn't pay, and nobody what a watchlist says.
    """
    subject, first, *rest = (_TEXTS if order.refund is None else _REFUND_TEXTS)[ending, party]
    payer = one_line(debtor_name) or f"the holder of account {order.debtor_account}"
    words = {
        "amount": str(order.amount),
        "creditor": one_line(order.creditor.name),
        "payer": payer,
        "reason": _in_words(reason),
    }
    greeting = one_line(order.creditor.name) if party == CREDITOR else one_line(debtor_name)
    paragraphs = [f"Dear {greeting}," if greeting else "Hello,", first, *rest, _references(order, party), _CLOSING]
    text = "\n\n".join(
        paragraph.format_map(words) if paragraph in (first, *rest) else paragraph for paragraph in paragraphs
    )
    return Letter(subject.format_map(words), text + "\n")


def one_line(text: str) -> str:
    """`text` without line breaks and control characters, so that it can't begin another header or line.

    >>> one_line("Eve\\r\\nBcc: all@example.org")
    'Eve Bcc: all@example.org'
    """
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _in_words(reason: Reason | None) -> str:
    if reason is None:
        return "none was given"
    words = "the law or a sanction forbids it" if reason.code == REGULATORY_REASON else one_line(reason.text)
    return f"{words} ({reason.code})"


def _references(order: PaymentOrder, party: str) -> str:
    own = ("From", order.debtor_account if party == DEBTOR else "")
    other = ("To", f"{one_line(order.creditor.name)}, {one_line(order.creditor.account)}")
    if order.refund is not None:
        own, other = ("From", other[1]), ("To", own[1])
    lines = [
        ("Amount", str(order.amount)),
        own,
        other,
        ("For", one_line(order.remittance)),
        ("Your reference", one_line(order.end_to_end_id)),
        ("UETR", order.uetr),
        ("Payment", order.payment_id),
    ]
    return "\n".join(f"{name + ':':<16}{value}" for name, value in lines if value)


_CLOSING: Final = "This message was sent automatically. Please quote the payment's number in any question about it."
_TEXTS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("completed", DEBTOR): (
        "Payment of {amount} to {creditor} completed",
        "your payment of {amount} to {creditor} has been made.",
    ),
    ("completed", CREDITOR): (
        "Payment of {amount} from {payer}",
        "a payment of {amount} from {payer} has been made to you.",
    ),
    ("rejected", DEBTOR): (
        "Payment of {amount} to {creditor} rejected",
        "we are sorry: your payment of {amount} to {creditor} could not be made. The reason: {reason}.",
        "Nothing has been taken from your account for it.",
    ),
    ("rejected", CREDITOR): (
        "Payment of {amount} from {payer} could not be made",
        "we are sorry: a payment of {amount} from {payer} to you could not be made. The payer knows the reason.",
    ),
    ("cancelled", DEBTOR): (
        "Payment of {amount} to {creditor} cancelled",
        "your payment of {amount} to {creditor} was cancelled, as requested: {reason}.",
        "Nothing has been taken from your account for it.",
    ),
    ("cancelled", CREDITOR): (
        "Payment of {amount} from {payer} cancelled",
        "a payment of {amount} from {payer} to you was cancelled before it was made.",
    ),
    ("returned", DEBTOR): (
        "Payment of {amount} to {creditor} returned",
        "your payment of {amount} to {creditor} was made, but the bank has sent the money back. The reason: {reason}.",
        "It is on your account again.",
    ),
    ("returned", CREDITOR): (
        "Payment of {amount} from {payer} returned",
        "a payment of {amount} from {payer} was sent to you, but your bank has sent it back. The reason: {reason}.",
        "Please give the payer an account that can take it.",
    ),
    ("needs_attention", DEBTOR): (
        "Payment of {amount} to {creditor} delayed",
        "your payment of {amount} to {creditor} has not gone through as usual, and a person is looking at it.",
        "You need not do anything: we write again as soon as it has ended. Please don't pay a second time.",
    ),
}
_REFUND_TEXTS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("completed", DEBTOR): (
        "Refund of {amount} from {creditor} completed",
        "{amount} of your payment to {creditor} has been given back to you.",
        "It is on your account again.",
    ),
    ("completed", CREDITOR): (
        "Refund of {amount} to {payer}",
        "{amount} of the payment from {payer} to you has been given back.",
    ),
    ("rejected", DEBTOR): (
        "Refund of {amount} from {creditor} rejected",
        "we are sorry: {amount} of your payment to {creditor} could not be given back. The reason: {reason}.",
    ),
    ("rejected", CREDITOR): (
        "Refund of {amount} to {payer} could not be made",
        "a refund of {amount} to {payer} could not be made. Nothing has been taken from your account for it.",
    ),
    ("cancelled", DEBTOR): (
        "Refund of {amount} from {creditor} cancelled",
        "the refund of {amount} of your payment to {creditor} was cancelled, as requested: {reason}.",
    ),
    ("cancelled", CREDITOR): (
        "Refund of {amount} to {payer} cancelled",
        "a refund of {amount} to {payer} was cancelled. Nothing has been taken from your account for it.",
    ),
    ("needs_attention", DEBTOR): (
        "Refund of {amount} from {creditor} delayed",
        "your refund of {amount} from {creditor} has not gone through as usual, and a person is looking at it.",
        "You need not do anything: we write again as soon as it has ended.",
    ),
}
