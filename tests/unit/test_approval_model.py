"""Whose word counts, how many it takes, and that time alone never approves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from actors.approval import model
from actors.approval.model import Approval
from actors.vocabulary.money import Money
from actors.vocabulary.operators import OperatorRules

NOW = datetime(2030, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=2)
ANYONE = OperatorRules()


def asked(needed: int = 2, *, lapses: bool = False) -> Approval:
    """An approval that waits for so many people, for an hour."""
    return Approval(
        approval_id="P1-00", payment_id="P1-00", amount=Money(2_000_000, "EUR"), debtor_account="ACC-1",
        creditor_name="Erika Mustermann", why="it is above 10000.00 EUR", needed=needed, lapses=lapses, opened_at=NOW,
        due_at=NOW + timedelta(hours=1),
    )  # fmt: skip


def yes(approval: Approval, by: str, rules: OperatorRules = ANYONE) -> Approval:
    """After this person has agreed."""
    return model.agree(approval, by, "checked the invoice", NOW, rules)


def no(approval: Approval, by: str) -> Approval:
    """After this person has not."""
    return model.disagree(approval, by, "never heard of it", NOW, ANYONE)


def test_two_different_people_grant_what_takes_two() -> None:
    """Four eyes."""
    one = yes(asked(), "Ada")
    assert (one.status, one.missing) == (model.OPEN, 1)
    two = yes(one, "Bob")
    assert (two.status, two.missing, two.agreed, two.decided_at) == (model.GRANTED, 0, ("Ada", "Bob"), NOW)


@pytest.mark.parametrize("again", ["Ada", " ada ", "ADA"])
def test_the_same_persons_second_yes_does_not_count_and_is_told_so(again: str) -> None:
    """However the name is written: two spellings are not two people."""
    with pytest.raises(model.AgreedBefore, match="Ada has agreed already and counts once; one other person has to"):
        yes(yes(asked(), "Ada"), again)


@pytest.mark.parametrize(
    "unseen", [*"\u00ad\u034f\u115f\u1160\u180b\u180e\u180f\u200b\u2065\u3164\ufe00\ufe0f\ufff0", "\U000e0100"]
)
def test_a_mark_that_nobody_sees_makes_nobody_a_second_person(unseen: str) -> None:
    """Neither between two letters nor between a letter and its accent; the name stays as it was typed."""
    for name, again in (("Ada", f"A{unseen}da"), ("Zo\u00e9", f"Zoe{unseen}\u0301")):
        with pytest.raises(model.AgreedBefore):
            yes(yes(asked(), name), again)
        assert yes(asked(), again).agreed == (again,)


def test_one_no_denies_whoever_had_agreed_before() -> None:
    """Also a person's own yes can be taken back so, while it is open."""
    for by in ("Bob", "Ada"):
        denied = no(yes(asked(3), "Ada"), by)
        assert denied.status == model.DENIED
        assert (model.denial(denied).code, model.denial(denied).text) == (
            "DS02", f"not approved: {by} said no: never heard of it"
        )  # fmt: skip


def test_what_is_decided_is_not_decided_anew_but_may_be_said_again() -> None:
    """A client that was not answered says it again; nobody turns a no into a yes."""
    granted, denied = yes(yes(asked(), "Ada"), "Bob"), no(asked(), "Ada")
    assert yes(granted, "bob") is granted
    assert no(denied, "Bob") is denied
    for decided, say in ((granted, no), (denied, yes), (granted, yes)):
        with pytest.raises(model.DecidedBefore, match="already and can't be decided anew"):
            say(decided, "Cleo")


def test_what_is_decided_says_who_has_decided_and_when() -> None:
    """Whoever comes too late need not look for it."""
    granted, denied = yes(yes(asked(), "Ada"), "Bob"), no(asked(), "Ada")
    assert model.decided(granted) == "P1-00 was granted at 2030-01-01 00:00:00 UTC, by Ada, Bob"
    assert model.decided(denied) == "P1-00 was denied at 2030-01-01 00:00:00 UTC, since Ada said no: never heard of it"
    lapsed = model.time_is_up(yes(asked(lapses=True), "Ada"), LATER)
    assert model.decided(lapsed).endswith("since 1 of 2 had agreed when the time was up")
    with pytest.raises(model.DecidedBefore, match="by Ada, Bob; that was decided already"):
        yes(granted, "Cleo")


@pytest.mark.parametrize(
    ("by", "reason", "kind", "words"),
    [
        (" ", "fine", model.NobodyNamed, "--by"),
        ("Ada", " ", model.NoReason, "reason"),
        ("Mallory", "fine", model.NotAnApprover, "Mallory is none of those who may act here"),
    ],
)
def test_a_word_without_a_name_a_reason_or_a_right_is_refused(
    by: str, reason: str, kind: type[model.WordRefused], words: str
) -> None:
    """Each decision can be accounted for later."""
    rules = OperatorRules(names=("Ada", "Bob"))
    for say in (model.agree, model.disagree):
        with pytest.raises(kind, match=words):
            say(asked(), by, reason, NOW, rules)


def test_time_alone_never_approves() -> None:
    """What is overdue waits on; what lapses is denied."""
    one = yes(asked(), "Ada")
    assert not model.is_overdue(one, NOW)
    assert model.is_overdue(one, LATER)
    assert model.time_is_up(one, LATER) is one
    assert "1 of 2 had agreed when the time was up; they were asked because" in model.overdue_reason(one)
    lapsed = model.time_is_up(yes(asked(lapses=True), "Ada"), LATER)
    assert (lapsed.status, model.denial(lapsed).code) == (model.DENIED, "DS24")
    assert yes(one, "Bob").status == model.GRANTED


def test_nobody_decides_about_a_payment_that_was_stopped() -> None:
    """And a decision that stood keeps standing in the record."""
    stopped = model.withdraw(asked(), "cancelled", NOW)
    with pytest.raises(model.NobodyAsks, match="its payment was stopped"):
        yes(stopped, "Ada")
    granted = yes(asked(1), "Ada")
    assert model.withdraw(granted, "cancelled", NOW) is granted
