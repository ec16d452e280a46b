"""Every sentence with which a definition is refused: what can't be run is told when it is loaded, by its name."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actors import assembly
from actors.admin.command_line import sentence
from actors.ledger.messages import AccountDebited, DebitPosted
from actors.payment import faults
from actors.payment.definition import (
    BadWorkflow,
    CallPerson,
    Choice,
    Fact,
    NextWindow,
    Part,
    Together,
    TryLater,
    WaitUntil,
    Window,
)
from actors.payment.facts import amount_over, creditor_country_in, currency
from actors.payment.parts import UnforeseenCase
from actors.payment.serving import must_be_served
from actors.payment.workflow import APPROVE, DEBIT, EXECUTE, LIMITS, POST, SCREEN, payment
from tests.fakes.made_up import a_last_step, a_pivot, a_step
from tests.fakes.workflow_script import an_order

LATER = {"AM04": TryLater(timedelta(minutes=1))}
LARGE = amount_over(EUR="100", others=False)
PLAIN: tuple[Part, ...] = (DEBIT, SCREEN, EXECUTE, POST)


def of(*steps: Part) -> Any:
    """A workflow of these steps."""
    return payment("mine", version=1, steps=steps)


def served(*steps: Part) -> None:
    """One that the services at hand are to do."""
    assembly.load_messages()
    must_be_served(of(*steps), assembly.handled())


def bits(number: int) -> tuple[Choice, ...]:
    """So many decisions that have nothing to do with each other."""
    return tuple(
        Choice(f"c{bit}", Fact(f"f{bit}", lambda order: True), {True: (), False: (a_step(f"s{bit}"),)})
        for bit in range(number)
    )


UNDONE = {"compensation": DEBIT.compensation, "undone": DEBIT.undone}
BARE = {"compensation": None, "undone": None, "undo_refused": None}
NO_PIVOT = "has no pivot: mark the step after which nothing can be undone with pivot=True, as the shipped EXECUTE is"
LONG_NAME = "use small letters, digits and hyphens, and nothing that begins with choreographed-, as chains do"
TWO_PIVOTS = replace(POST, pivot=True, needs=())

REFUSED: list[tuple[Callable[[], Any], str]] = [
    # what it is called
    *(
        (lambda name=name: payment(name, version=1, steps=PLAIN), f"a workflow can't be called {name!r}: {LONG_NAME}")
        for name in ("My Order@2", "mine@2", "", "Mine", "choreographed-mine")
    ),
    *(
        (
            lambda version=version: payment("mine", version=version, steps=PLAIN),
            f"mine has no version {version}: versions are whole numbers from 1",
        )
        for version in (0, -1, "1", True)
    ),
    (
        lambda: payment("mine", version=1, steps=DEBIT),  # type: ignore[arg-type]
        "mine: its steps are a tuple, like (DEBIT, SCREEN) or (DEBIT,)",
    ),
    (lambda: of(DEBIT, "SCREEN"), "mine: 'SCREEN' is no step, `Together`, `Choice` or `WaitUntil`"),  # type: ignore[arg-type]
    # how long is waited
    (
        lambda: replace(SCREEN, timeout=-5),
        "screen-beneficiary waits -5 for its answer; write a time to wait, as minutes(2)",
    ),
    (
        lambda: replace(SCREEN, timeout=timedelta()),
        "screen-beneficiary waits 0:00:00 for its answer; write a time to wait, as minutes(2)",
    ),
    (
        lambda: replace(SCREEN, retries=-1),
        "screen-beneficiary has -1 retries with a backoff of 2; there are 0 or more, and each wait is at least"
        " as long as the one before it",
    ),
    # the pivot, and what may stand where
    (lambda: of(DEBIT, SCREEN), f"mine {NO_PIVOT}"),
    (
        lambda: of(DEBIT, SCREEN, EXECUTE, TWO_PIVOTS),
        "mine has 2 pivots, execute-payment and post-debit: leave pivot=True to the one after which nothing can be"
        " undone",
    ),
    (
        lambda: of(DEBIT, SCREEN, Choice("large", LARGE, {True: (EXECUTE,), False: ()})),
        f"mine, where large is False, {NO_PIVOT}",
    ),
    (
        lambda: of(replace(DEBIT, **BARE), SCREEN, EXECUTE, replace(POST, **UNDONE)),
        "mine: post-debit can't be undone, it is not before the pivot",
    ),
    (
        lambda: of(DEBIT, SCREEN, EXECUTE, replace(POST, on_failure=CallPerson())),
        "mine: post-debit can't decide on a failure, which proves nothing at the pivot",
    ),
    (
        lambda: of(a_pivot(), a_last_step(on_reason=LATER)),
        "mine: book can't decide on a reason, after the pivot only a person can",
    ),
    (lambda: of(EXECUTE, DEBIT, SCREEN), "mine: execute-payment needs debit-account, screen-beneficiary before it"),
    # names, and messages with two meanings
    (lambda: of(DEBIT, replace(SCREEN, name="debit-account"), EXECUTE), "mine has two steps called debit-account"),
    (
        lambda: of(DEBIT, Together("checks", (SCREEN, LIMITS)), WaitUntil("checks", Window("08:00", "16:00")), EXECUTE),
        "mine has two parts called checks",
    ),
    (
        lambda: of(DEBIT, SCREEN, replace(LIMITS, name="stop-execution"), EXECUTE),
        "mine has a step called stop-execution, as its gate or its return is",
    ),
    (
        lambda: of(replace(DEBIT, done=SCREEN.done), SCREEN, EXECUTE),
        "mine: BeneficiaryCleared is both `done` of debit-account and `done` of screen-beneficiary",
    ),
    (lambda: of(*bits(9), a_pivot()), "mine has more than 256 routes, more than anybody can look through"),
    # a step by itself
    (lambda: replace(DEBIT, undone=None), "debit-account needs both a compensation and its outcome, or neither"),
    (
        lambda: replace(SCREEN, refused=None, on_reason=LATER),
        "screen-beneficiary is never refused, so it can't do anything about a reason",
    ),
    (
        lambda: replace(SCREEN, on_reason={"funds": CallPerson()}),
        "screen-beneficiary decides on funds; an ISO reason code is four letters or digits, as AM04",
    ),
    (
        lambda: replace(SCREEN, on_reason=LATER),
        "screen-beneficiary is to be tried again for AM04, but has no `again` to make its command",
    ),
    (
        lambda: replace(SCREEN, again=lambda order, attempt: SCREEN.command(order)),
        "screen-beneficiary may be tried again, but its refusal does not say which attempt it refuses",
    ),
    # steps together
    (lambda: Together("checks", (SCREEN,)), "checks takes two steps or more; one alone needs no `Together`"),
    (
        lambda: Together("checks", (SCREEN, WaitUntil("pause", Window("08:00", "16:00")))),  # type: ignore[arg-type]
        "checks takes steps only, and pause is none",
    ),
    (lambda: Together("checks", (SCREEN, EXECUTE)), "execute-payment is the pivot and so must be alone, not in checks"),
    (
        lambda: Together("checks", (SCREEN, replace(LIMITS, needs=("screen-beneficiary",)))),
        "check-limits needs a step that is done at the same time, in checks",
    ),
    # decisions
    (
        lambda: Choice("by-currency", currency(), {"EUR": ()}),
        "by-currency decides on currency, which may be anything: it needs an `otherwise`",
    ),
    (
        lambda: Choice("large", LARGE, {True: (APPROVE,)}),
        "large leaves out the case that amount over 100 EUR, none in others is False",
    ),
    (
        lambda: Choice("large", LARGE, {True: (), False: (), "perhaps": ()}),
        "large has a case perhaps, but amount over 100 EUR, none in others is True or False",
    ),
    (
        lambda: Choice("large", LARGE, {True: (), False: ()}, otherwise=()),
        "large has an `otherwise` that can't be: every case of amount over 100 EUR, none in others is written",
    ),
    (
        lambda: Choice("large", LARGE, {True: APPROVE, False: ()}),  # type: ignore[dict-item]
        "large: each case is a tuple of steps, like (DEBIT,) or ()",
    ),
    (
        lambda: amount_over(EUR="ten", others=True),
        "a decision on the amount: amount 'ten' is not a number such as 12.50",
    ),
    (lambda: creditor_country_in("Iran", unknown=True), "a country is written like NL, not Iran"),
    # further tries
    (
        lambda: TryLater(timedelta(), tries=1),
        "trying later needs a wait, at least one try, and a backoff of at least 1",
    ),
    (
        lambda: NextWindow(Window("08:00", "16:00"), tries=0),
        "waiting for the next window needs at least one try",
    ),
    # windows
    (
        lambda: Window("08:00", "16:00", days=("monday",)),
        "a window's days are some of mon, tue, wed, thu, fri, sat, sun, not monday",
    ),
    (lambda: Window("16:00", "08:00"), "a window that opens at 16:00 can't close at 08:00 of the same day"),
    (lambda: Window("08:00", "16:00", zone="Mars/Olympus"), "there is no time zone Mars/Olympus"),
    (lambda: Window("8", "16:00"), "a time of day is written like 08:00, not 8"),
    (lambda: Window("08:00", "24:01"), "there is no time 24:01 in a day"),
    (
        lambda: Window("08:00", "16:00", closed=lambda day: True).next(datetime(2030, 1, 1, tzinfo=UTC)),
        "the window from 08:00 to 16:00 does not open within 400 days",
    ),
    # what the services can't do
    (
        lambda: served(DEBIT, SCREEN, replace(LIMITS, to="treasury"), EXECUTE, POST),
        "mine: check-limits asks treasury, and there is no such service; there are disbursement, ",
    ),
    (
        lambda: served(DEBIT, SCREEN, replace(LIMITS, to="aml"), EXECUTE, POST),
        "mine: check-limits sends CheckLimits to aml, which does not take it",
    ),
    (
        lambda: served(DEBIT, replace(SCREEN, waits_for_person=None), EXECUTE, POST),
        "mine: screen-beneficiary: no step expects BeneficiaryHeld, which ScreenBeneficiary is answered by",
    ),
    (
        lambda: served(DEBIT, SCREEN, replace(LIMITS, overdue=Stranger), EXECUTE, POST),
        "mine: check-limits waits for Stranger, which CheckLimits is never answered by",
    ),
]  # fmt: skip


class Stranger(AccountDebited):
    """An answer that nobody gives."""


@pytest.mark.parametrize(("make", "sentence"), REFUSED, ids=[sentence[:60] for _, sentence in REFUSED])
def test_what_cant_be_run_is_refused_with_a_sentence(make: Callable[[], Any], sentence: str) -> None:
    """It names the workflow or the step, and says what would be right."""
    with pytest.raises(BadWorkflow) as refusal:
        make()
    assert str(refusal.value).startswith(sentence)


def test_no_sentence_is_left_out_here() -> None:
    """Whoever adds a rule adds the case that breaks it."""
    rules = [
        (path.name, node.lineno, _pattern(node.exc.args[0]))
        for path in sorted(Path(assembly.__file__).with_name("payment").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name) and node.exc.func.id == "BadWorkflow"
    ]  # fmt: skip
    assert len(rules) > 30
    told = [sentence for _, sentence in REFUSED]
    assert [rule[:2] for rule in rules if not any(re.match(rule[2], sentence) for sentence in told)] == []


def test_a_fact_that_lies_about_its_values_is_told_when_it_is_read() -> None:
    """The one thing that can't be seen when the definition is loaded."""
    lying = Fact("weekday", lambda order: "sunday", ("monday", "tuesday"))
    choice = Choice("by-day", lying, {"monday": (), "tuesday": ()})
    with pytest.raises(UnforeseenCase, match="payment P1-00: by-day has no case for weekday = sunday"):
        choice.decide(an_order())


def test_the_plain_definition_is_none_of_these() -> None:
    """What is changed above is right before it is changed."""
    served(*PLAIN)
    served(DEBIT, SCREEN, LIMITS, EXECUTE, POST)
    assert DebitPosted is POST.done


def _pattern(sentence: ast.expr) -> str:
    """The beginning of what an f-string may come to, up to a part that is given at the end."""
    if isinstance(sentence, ast.Constant):
        return re.escape(str(sentence.value))
    assert isinstance(sentence, ast.JoinedStr)
    parts = [re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+?" for part in sentence.values]
    return "".join(parts)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("steps = (DEBIT, SCREN)", "name 'DEBIT' is not defined"),
        ("dict(1, timeot=2)", "'int' object is not iterable"),
        ("steps = (1 2)", "invalid syntax. Perhaps you forgot a comma?"),
    ],
)
def test_a_slip_in_a_definition_is_told_by_its_line(line: str, error: str) -> None:
    """The likeliest mistakes are Python's to find, and whoever made them is no programmer of this program."""
    path = Path(faults.__file__).parent / "workflow.py"
    with pytest.raises(Exception) as slip:  # noqa: PT011  # whatever Python makes of it
        exec(compile(f"\n\n{line}\n", str(path), "exec"), {})
    wrong = faults.what_is_wrong(slip.value)
    assert wrong == f"actors/payment/workflow.py, line 3: {error}; mend it, then look with workflow lint"
    assert sentence(slip.value) == wrong


def test_an_error_that_is_met_anywhere_else_is_no_slip_in_a_definition() -> None:
    """It is the program's."""
    with pytest.raises(ZeroDivisionError) as slip:
        exec(compile("1 / 0", "actors/ledger/model.py", "exec"), {})
    assert faults.what_is_wrong(slip.value) == ""
