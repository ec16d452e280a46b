"""Deciding on held payments: what a person may say, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from actors.aml.index import Hit, Screening
from actors.aml.model import (
    SANCTIONS,
    CaseAlreadyDecided,
    CaseClosed,
    ReasonMissing,
    ReviewCase,
    UnknownDecision,
    close,
    decide,
    in_words,
    is_overdue,
    open_case,
)

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
HIT = Hit("S-0001", "sample", "Viktor Blockov", 87.3)
HELD = Screening("held", 87.3, (HIT,), "'Viktor Blockov' on sample scores 87.3")


def a_case(screening: Screening = HELD) -> ReviewCase:
    """An open case, due in a day."""
    return open_case(
        case_id="c1",
        payment_id="p1",
        screening_id="s1",
        name="Viktor Blotkov",
        screening=screening,
        now=NOW,
        review_time=timedelta(days=1),
    )


def test_a_held_screening_opens_a_case_that_says_why() -> None:
    """Who decides has nothing else to go by."""
    case = a_case()
    assert (case.status, case.hits, case.due_at) == ("open", HELD.reason, NOW + timedelta(days=1))


@pytest.mark.parametrize("verdict", ["cleared", "blocked"])
def test_what_is_decided_already_opens_no_case(verdict: str) -> None:
    """A person may not overrule a block by way of a case."""
    with pytest.raises(ValueError, match=verdict):
        a_case(Screening(verdict, 0.0, (), ""))


@pytest.mark.parametrize(("decision", "status"), [("clear", "cleared"), ("block", "blocked")])
def test_a_decision_is_kept_with_its_reason_and_time(decision: str, status: str) -> None:
    """It is asked for years later."""
    case = decide(a_case(), decision, " another person ", LATER)
    assert (case.status, case.reason, case.decided_at) == (status, "another person", LATER)


def test_the_same_decision_again_changes_nothing() -> None:
    """A command may arrive twice."""
    case = decide(a_case(), "clear", "another person", NOW)
    assert decide(case, "clear", "again", LATER) is case


def test_the_other_decision_is_refused() -> None:
    """The payment has moved on with the first."""
    case = decide(a_case(), "clear", "another person", NOW)
    with pytest.raises(CaseAlreadyDecided, match="cleared already"):
        decide(case, "block", "changed my mind", LATER)


def test_a_closed_case_takes_no_decision() -> None:
    """The payment was stopped; clearing it now would pay it."""
    case = close(a_case(), "payment cancelled", NOW)
    for decision in ("clear", "block"):
        with pytest.raises(CaseClosed, match="stopped"):
            decide(case, decision, "late", LATER)


def test_closing_leaves_a_decided_case_as_it_is() -> None:
    """Its decision stands in the records."""
    case = decide(a_case(), "block", "it is him", NOW)
    assert close(case, "payment cancelled", LATER) is case
    closed = close(a_case(), "payment cancelled", NOW)
    assert close(closed, "again", LATER) is closed


@pytest.mark.parametrize("decision", ["", "cleared", "CLEAR", "maybe"])
def test_only_clear_and_block_are_decisions(decision: str) -> None:
    """A typing error must not decide."""
    with pytest.raises(UnknownDecision, match="clear or block"):
        decide(a_case(), decision, "why", NOW)


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_decision_without_a_reason_is_refused(reason: str) -> None:
    """Nobody could account for it later."""
    with pytest.raises(ReasonMissing):
        decide(a_case(), "clear", reason, NOW)


def test_a_case_is_overdue_from_its_time_on_and_stays_open() -> None:
    """Time alone neither clears nor pays."""
    case = a_case()
    assert not is_overdue(case, case.due_at - timedelta(seconds=1))
    assert is_overdue(case, case.due_at)
    assert decide(case, "clear", "late but well", case.due_at + timedelta(days=9)).status == "cleared"
    assert not is_overdue(decide(case, "clear", "in time", NOW), case.due_at)


def test_the_words_say_how_many_more_hits_there_are() -> None:
    """One line for the timeline; the rest is in the case."""
    assert in_words(Screening("held", 87.3, (HIT, HIT, HIT), HELD.reason)).endswith("(and 2 more)")


def test_the_reason_code_is_the_iso_one_for_regulatory_reasons() -> None:
    """What the debtor's bank would say too."""
    assert SANCTIONS == "RR04"
