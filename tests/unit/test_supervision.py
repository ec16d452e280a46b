"""Supervision decides the same way for processes and for actors, without knowing either."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from actors.runtime.supervision import (
    ChildSpec,
    Decision,
    Escalate,
    GiveUp,
    LeaveDown,
    Restart,
    RestartHistory,
    SupervisionSpec,
    after_exit,
    after_failure,
    child_specs,
)
from config.settings import Settings
from system import process_plan

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CHILDREN = ("gateway", "cell-0", "cell-1")


def seconds(number: float) -> timedelta:
    """A shorter word for a duration."""
    return timedelta(seconds=number)


def failures(spec: SupervisionSpec, *moments: float, name: str = "cell-0") -> tuple[RestartHistory, Decision]:
    """What is decided at the last of several failures, given in seconds after noon."""
    history = RestartHistory()
    decision: Decision = GiveUp(name, 0, spec.period)
    for moment in moments:
        history, decision = after_failure(spec, history, CHILDREN, name, NOON + seconds(moment))
    return history, decision


def test_the_first_failure_is_answered_at_once() -> None:
    """A crash in a thousand hours must not cost its payments even a backoff."""
    _, decision = failures(SupervisionSpec(), 0)
    assert decision == Restart(("cell-0",), seconds(0))


def test_each_further_failure_waits_longer_up_to_the_maximum() -> None:
    """A child that fails at once every time must not burn the machine."""
    spec = SupervisionSpec(intensity=9, initial_backoff=seconds(1), backoff_factor=3, maximum_backoff=seconds(5))
    delays = [failures(spec, *range(count))[1] for count in range(1, 6)]
    assert delays == [Restart(("cell-0",), seconds(number)) for number in (0, 1, 3, 5, 5)]


def test_more_failures_than_the_intensity_are_given_up() -> None:
    """What restarting has not mended it will not mend: somebody has to look."""
    _, decision = failures(SupervisionSpec(intensity=2, period=seconds(10)), 0, 1, 2)
    assert decision == GiveUp("cell-0", 3, seconds(10))


def test_failures_older_than_the_period_are_forgiven() -> None:
    """One crash a day is no reason to give up in the sixth day."""
    _, decision = failures(SupervisionSpec(intensity=2, period=seconds(10)), 0, 10, 20, 30)
    assert decision == Restart(("cell-0",), seconds(0))


def test_an_intensity_of_zero_gives_up_at_once() -> None:
    """Whoever wants no restarts at all can say so."""
    _, decision = failures(SupervisionSpec(intensity=0), 0)
    assert isinstance(decision, GiveUp)


def test_one_childs_failures_do_not_count_against_another() -> None:
    """A broken cell takes no other cell's restarts away."""
    spec = SupervisionSpec(intensity=1)
    history, _ = failures(spec, 0, name="cell-0")
    _, decision = after_failure(spec, history, CHILDREN, "cell-1", NOON)
    assert decision == Restart(("cell-1",), seconds(0))


@pytest.mark.parametrize(
    ("strategy", "names"),
    [
        ("one_for_one", ("cell-0",)),
        ("rest_for_one", ("cell-0", "cell-1")),
        ("one_for_all", ("gateway", "cell-0", "cell-1")),
    ],
)
def test_the_strategy_says_who_is_restarted_along(strategy: str, names: tuple[str, ...]) -> None:
    """The three words mean what they mean in OTP."""
    _, decision = failures(SupervisionSpec(strategy=strategy), 0)  # type: ignore[arg-type]  # parametrized
    assert decision == Restart(names, seconds(0))


def test_a_decision_leaves_the_history_it_was_made_from_alone() -> None:
    """The function is pure: the caller may ask twice and hear the same."""
    before = RestartHistory()
    after_failure(SupervisionSpec(), before, CHILDREN, "cell-0", NOON)
    assert before == RestartHistory()


@pytest.mark.parametrize(
    "wrong",
    [
        {"intensity": -1},
        {"period": seconds(0)},
        {"backoff_factor": 0.5},
        {"initial_backoff": seconds(9)},
        {"jitter": 1.5},
    ],
)
def test_a_spec_that_could_never_work_is_refused(wrong: dict[str, object]) -> None:
    """A wrong number is found when it is written, not in the night when something fails."""
    with pytest.raises(ValueError, match="supervision needs"):
        SupervisionSpec(**wrong)  # type: ignore[arg-type]  # parametrized


# Kinds of children


def exits(
    spec: SupervisionSpec, name: str, *, normal: bool = False, kinds: dict[str, str] | None = None
) -> tuple[RestartHistory, Decision]:
    """What is decided of one child that ends for the first time; `kinds` are those that aren't permanent."""
    children = child_specs(CHILDREN, "permanent", kinds or {})  # type: ignore[arg-type]  # the words are tested
    return after_exit(spec, RestartHistory(), children, name, normal=normal, now=NOON, chance=0)


@pytest.mark.parametrize(
    ("kind", "normal", "comes_back"),
    [
        ("permanent", False, True),
        ("permanent", True, True),
        ("transient", False, True),
        ("transient", True, False),
        ("temporary", False, False),
        ("temporary", True, False),
    ],
)
def test_the_kind_of_a_child_says_whether_it_comes_back(kind: str, normal: bool, comes_back: bool) -> None:
    """The three words mean what they mean in OTP."""
    history, decision = exits(SupervisionSpec(), "cell-0", normal=normal, kinds={"cell-0": kind})
    if comes_back:
        assert decision == Restart(("cell-0",), seconds(0))
    else:
        assert decision == LeaveDown("cell-0", kind)  # type: ignore[arg-type]  # parametrized
        assert history == RestartHistory()


def test_a_temporary_siblings_end_concerns_nobody_else() -> None:
    """One that is expected to go takes nobody along, whatever the strategy."""
    _, decision = exits(SupervisionSpec(strategy="one_for_all"), "cell-0", kinds={"cell-0": "temporary"})
    assert decision == LeaveDown("cell-0", "temporary")


def test_a_temporary_child_that_is_ended_along_is_not_started_again() -> None:
    """As in OTP: never means never."""
    _, decision = exits(SupervisionSpec(strategy="one_for_all"), "cell-0", kinds={"cell-1": "temporary"})
    assert decision == Restart(("gateway", "cell-0"), seconds(0), ended=("cell-1",))


def test_children_keep_their_order_and_a_wrong_name_is_said() -> None:
    """A cell that is called something else must not be restarted by accident."""
    specs = child_specs(("gateway", "ledger", "aml"), "transient", {"aml": "temporary"})
    assert specs == (
        ChildSpec("gateway", "transient"),
        ChildSpec("ledger", "transient"),
        ChildSpec("aml", "temporary"),
    )
    with pytest.raises(ValueError, match="names amll, but the processes are gateway, ledger, aml"):
        child_specs(("gateway", "ledger", "aml"), "permanent", {"amll": "temporary"})


# Chance


def test_chance_shortens_a_pause_by_its_share_and_never_lengthens_it() -> None:
    """Cells that fell together don't rise together, and the maximum stays the maximum."""
    spec = SupervisionSpec(intensity=9, initial_backoff=seconds(4), maximum_backoff=seconds(5), jitter=0.5)
    history, _ = after_failure(spec, RestartHistory(), CHILDREN, "cell-0", NOON, chance=1)
    delays = [after_failure(spec, history, CHILDREN, "cell-0", NOON, chance)[1] for chance in (0, 0.5, 1)]
    assert delays == [Restart(("cell-0",), seconds(number)) for number in (4, 3, 2)]


def test_the_first_restart_is_at_once_whatever_chance_says() -> None:
    """There is nothing to spread."""
    _, decision = after_failure(SupervisionSpec(), RestartHistory(), CHILDREN, "cell-0", NOON, chance=0.7)
    assert decision == Restart(("cell-0",), seconds(0))


# Escalation


def test_where_all_would_be_given_up_the_failures_of_all_count_together() -> None:
    """As in OTP: a supervisor whose children fail all over is itself what has to be started anew."""
    spec = SupervisionSpec(intensity=2, exceeded="stop")
    history, _ = failures(spec, 0, 1, name="cell-0")
    _, decision = after_failure(spec, history, CHILDREN, "cell-1", NOON + seconds(2))
    assert decision == Escalate("cell-1", 3, spec.period)


# Messages that are to blame


def poisoned(spec: SupervisionSpec, messages: int, deaths: int, *, alone: bool = False) -> list[Decision]:
    """Every decision while so many messages, one after another, each end the child so often, at once after its start.

    Unless the child runs them `alone` from the first, that one explains nothing; all others are blamed on the message
    by the successor. Chance makes every pause as short as it can be.
    """
    history, now, decisions = RestartHistory(), NOON, []
    for message in range(messages):
        for death in range(deaths):
            history, decision = after_failure(spec, history, CHILDREN, "cell-0", now, chance=1)
            decisions.append(decision)
            if not isinstance(decision, Restart):
                return decisions
            now += decision.delay
            if death or alone:
                history = history.blaming("cell-0", f"message-{message}")
    return decisions


def test_all_that_one_message_causes_counts_once() -> None:
    """It is put away in the end: the cell gets on, so it is not the cell that has to be given up."""
    spec = SupervisionSpec(intensity=3, maximum_backoff=seconds(1))
    assert all(isinstance(decision, Restart) for decision in poisoned(spec, messages=2, deaths=4))


def test_every_death_counts_in_the_pause_before_the_next_start() -> None:
    """A message that kills is found out, and still doesn't make the machine busy with starts."""
    spec = SupervisionSpec(intensity=9, initial_backoff=seconds(1), maximum_backoff=seconds(5), jitter=0)
    delays = [decision.delay for decision in poisoned(spec, 2, 3) if isinstance(decision, Restart)]
    assert delays == [seconds(number) for number in (0, 1, 2, 4, 5, 5)]


@pytest.mark.parametrize("alone", [False, True])
def test_no_number_of_deadly_messages_gives_a_cell_up_with_the_settings_as_shipped(alone: bool) -> None:
    """Whoever can send such messages must not be able to close a cell for good; the pauses see to that."""
    settings = Settings()
    spec = process_plan(settings, Settings.model_fields["data"].default).supervision
    deaths = settings.runtime.suspect_limit + (not alone)
    decisions = poisoned(spec, messages=200, deaths=deaths, alone=alone)
    assert len(decisions) == 200 * deaths
    assert all(isinstance(decision, Restart) for decision in decisions)


def test_a_cell_that_fails_by_itself_is_given_up_all_the_same() -> None:
    """Deaths that no message explains are its own."""
    spec = SupervisionSpec(intensity=2)
    history, _ = failures(spec, 0, 1)
    history = history.blaming("cell-0", "message-1")  # both: it was found after a turn of many
    for moment in (2, 3):
        history, decision = after_failure(spec, history, CHILDREN, "cell-0", NOON + seconds(moment))
    assert decision == GiveUp("cell-0", 3, spec.period)


def test_blame_for_what_never_failed_changes_nothing() -> None:
    """A store may remember what its supervisor, being new, does not."""
    assert RestartHistory().blaming("cell-0", "message-1") == RestartHistory()
