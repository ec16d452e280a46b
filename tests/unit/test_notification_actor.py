"""Notification as an actor: each mail handed over once, and its fate said in the payment's timeline."""

from __future__ import annotations

import pytest

from actors.messaging.codec import decode, encode
from actors.messaging.message import Message
from actors.notification.actor import MAIL, Notification
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
from actors.notification.reactions import REACTIONS
from config.settings import NotificationSettings, Settings
from tests.fakes.orders import an_order
from tests.fakes.turn import FakeTurn, ServiceBench

DEBTORS = "<P000001-00.completed.debtor@paysaga.example>"


@pytest.fixture
def bench() -> ServiceBench:
    """Notification, knowing who is behind ACC-1."""
    bench = ServiceBench(Notification)
    bench.tell(RememberContact(account_id="ACC-1", owner="Muster AG", email="pay@muster.example"))
    return bench


def ended(ending: str = "completed", *, debtor: str = "ACC-1", email: str | None = "e@example.org") -> NotifyParties:
    """A payment's end."""
    return NotifyParties(ending=ending, order=an_order(debtor_account=debtor, creditor={"email": email}))


def mails(turn: FakeTurn) -> list[tuple[str, str, str]]:
    """Who is mailed, where."""
    tasks = [(outbox, task) for outbox, task in turn.tasks if isinstance(task, SendMail)]
    return [(outbox, task.party, task.address) for outbox, task in tasks]


def test_debtor_and_creditor_are_mailed_where_addresses_are_known(bench: ServiceBench) -> None:
    """Both hear of the same end."""
    turn = bench.hear(ended())
    assert mails(turn) == [(MAIL, "debtor", "pay@muster.example"), (MAIL, "creditor", "e@example.org")]
    assert turn.published == []


def test_a_mail_task_survives_its_outbox(bench: ServiceBench) -> None:
    """It is stored until a worker has done it."""
    _, task = bench.hear(ended()).tasks[0]
    assert decode(encode(task)) == task


def test_a_payment_without_any_address_says_so_once_for_both(bench: ServiceBench) -> None:
    """The timeline must not leave open whether somebody was told."""
    turn = bench.hear(ended(debtor="ACC-2", email=None))
    assert turn.tasks == []
    assert turn.published == [MailSkipped(party="debtor, creditor", reason="no address is known")]


def test_the_party_without_address_is_named_and_the_other_mailed(bench: ServiceBench) -> None:
    """Each party's fate is said."""
    turn = bench.hear(ended(email=None))
    assert mails(turn) == [(MAIL, "debtor", "pay@muster.example")]
    assert turn.published == [MailSkipped(party="creditor", reason="no address is known")]


def test_only_the_debtor_hears_that_a_person_must_look(bench: ServiceBench) -> None:
    """Nothing is decided yet that would concern the creditor."""
    assert [party for _, party, _ in mails(bench.hear(ended("needs_attention")))] == ["debtor"]


def test_the_same_end_told_again_mails_nobody_twice(bench: ServiceBench) -> None:
    """The log may be replayed to Notification."""
    bench.hear(ended())
    assert bench.hear(ended()).tasks == []


def test_a_later_end_of_the_same_payment_is_another_mail(bench: ServiceBench) -> None:
    """Completed, then returned: both are news."""
    bench.hear(ended())
    assert len(bench.hear(ended("returned")).tasks) == 2


def test_a_changed_contact_takes_the_old_ones_place(bench: ServiceBench) -> None:
    """The newest word of the ledger counts."""
    bench.tell(RememberContact(account_id="ACC-1", owner="Muster AG", email="new@muster.example"))
    assert mails(bench.hear(ended()))[0][2] == "new@muster.example"


def test_with_mail_switched_off_the_timeline_says_that() -> None:
    """Nobody wonders where the mail is."""
    bench = ServiceBench(Notification, Settings(notification=NotificationSettings(transport="none")))
    turn = bench.hear(ended())
    assert turn.published == [MailSkipped(party="debtor, creditor", reason="mail is switched off")]
    assert turn.tasks == []


@pytest.mark.parametrize(
    ("result", "event"),
    [
        (
            MailTaken(message_id=DEBTORS, party="debtor", address="a@b"),
            MailSent(message_id=DEBTORS, party="debtor", address="a@b"),
        ),
        (
            MailRefused(message_id=DEBTORS, party="debtor", error="550"),
            MailFailed(message_id=DEBTORS, party="debtor", error="550"),
        ),
    ],
)
def test_a_mails_fate_is_published_once(bench: ServiceBench, result: Message, event: Message) -> None:
    """A worker may say it twice, when it did not know that it had said it."""
    bench.hear(ended())
    assert bench.tell(result, sender=MAIL).published == [event]
    assert bench.tell(result, sender=MAIL).published == []


def test_every_end_of_a_payment_is_reacted_to_in_both_flows() -> None:
    """A saga publishes its ends too."""
    flows = {on.event.__name__: on.flows for on in REACTIONS["*"]}
    assert set(flows) == {
        "PaymentCompleted", "PaymentRejected", "PaymentCancelled", "PaymentReturned", "PaymentNeedsAttention",
        "AccountOpened",
    }  # fmt: skip
    assert set(flows.values()) == {("choreographed", "orchestrated")}
