"""Versions of a workflow side by side in a whole cell: who stays, who is moved, what is checked before and after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.admin.backup import SETTINGS
from actors.admin.checking import check
from actors.admin.needs import Run, needs
from actors.admin.reading import Reading
from actors.assembly import accepted
from actors.messaging.system_messages import PauseTarget, ResumeTarget
from actors.payment import saga as sagas
from actors.payment.messages import MigrateSaga, SagaSteered, SteeringRefused
from actors.payment.stanzas import SCREEN
from actors.payment.versions import Version, lacking, needed, who_needs
from actors.payment.workflow import APPROVE, DEBIT, EXECUTE, LIMITS, POST, WORKFLOWS, payment
from actors.runtime.pauses import SERVICE
from config.settings import EFFECTIVE
from tests.fakes.bank import DOUBTFUL, Bank, Way
from tests.fakes.stores import keep_payment, open_store

WAY = Way("orchestrated", "debit-first")
CHECKED = payment("debit-first", version=2, steps=(DEBIT, SCREEN, LIMITS, EXECUTE, POST))
ASKED_FIRST = payment("debit-first", version=3, steps=(APPROVE, DEBIT, SCREEN, EXECUTE, POST))
DEBIT_FIRST_1, DEBIT_FIRST_2, DEBIT_FIRST_3 = (Version("debit-first", number) for number in (1, 2, 3))


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, int], object]:
    """The program has three versions of debit-first; new payments start with the first, as configured."""
    found = dict(WORKFLOWS) | {(each.name, each.version): each for each in (CHECKED, ASKED_FIRST)}
    monkeypatch.setattr(sagas, "WORKFLOWS", found)
    return found


@pytest.fixture
def bank(tmp_path: Path, versions: object) -> Iterator[Bank]:
    """A cell with an account."""
    with Bank(tmp_path, WAY, disbursement={"workflow": "debit-first@1"}) as made:
        made.open_account()
        yield made


def migrate(bank: Bank, payment_id: str, to: str) -> SagaSteered | SteeringRefused:
    """A person's wish."""
    command = MigrateSaga(payment_id=payment_id, to=to, by="Ada", reason="limits are checked from now on")
    answer = bank.cell.tell("payment", command, payment_id=payment_id)
    assert isinstance(answer, SagaSteered | SteeringRefused)
    return answer


def held(bank: Bank) -> str:
    """A payment that waits at its screening."""
    payment_id = bank.pay(name=DOUBTFUL)
    bank.until_status(payment_id, "held")
    return payment_id


def test_a_payment_that_is_moved_does_what_the_other_version_says(bank: Bank) -> None:
    """It stands where it stood, and the step that is new comes after; a crash forgets none of it."""
    payment_id = held(bank)
    assert isinstance(migrate(bank, payment_id, "debit-first@2"), SagaSteered)
    bank.crash()
    bank.decide(payment_id, "clear")
    bank.until_status(payment_id, "completed")
    story = bank.story(payment_id)
    assert story.index("PaymentMigrated") < story.index("CheckLimits") < story.index("ExecutePayment")
    assert bank.cell.ask("SELECT workflow_version FROM tracker_payments WHERE payment_id = ?", payment_id) == [(2,)]


def test_a_payment_that_is_not_moved_keeps_its_version(bank: Bank) -> None:
    """Another version beside it re-routes nothing."""
    payment_id = held(bank)
    bank.decide(payment_id, "clear")
    bank.until_status(payment_id, "completed")
    assert "CheckLimits" not in bank.story(payment_id)


def test_a_payment_that_would_leave_out_a_step_stays_and_says_why(bank: Bank) -> None:
    """It was never approved, and the other version wants that before the debit."""
    payment_id = held(bank)
    answer = migrate(bank, payment_id, "debit-first@3")
    assert isinstance(answer, SteeringRefused)
    assert answer.error == f"{payment_id} has not done approve-payment, which comes earlier in debit-first@3"
    assert "PaymentMigrated" not in bank.story(payment_id)


@pytest.mark.parametrize(
    ("to", "error"),
    [("debit-first@9", "this program has no debit-first@9"), ("second one", "is no version of a workflow")],
)
def test_an_unknown_version_is_refused_with_a_sentence(to: str, error: str, bank: Bank) -> None:
    """Nothing happens to the payment."""
    answer = migrate(bank, held(bank), to)
    assert isinstance(answer, SteeringRefused)
    assert error in answer.error


def test_moving_twice_changes_nothing_the_second_time(bank: Bank) -> None:
    """A client that was not answered says it again."""
    payment_id = held(bank)
    migrate(bank, payment_id, "debit-first@2")
    again = migrate(bank, payment_id, "debit-first@2")
    assert isinstance(again, SagaSteered)
    assert again.done == f"{payment_id} runs debit-first@2 already"
    assert bank.story(payment_id).count("PaymentMigrated") == 1


def test_the_journals_of_moved_refused_and_plain_payments_replay_as_they_were(
    bank: Bank, versions: dict[tuple[str, int], object]
) -> None:
    """A check that cried wolf would be turned off; one that missed a changed step would be worthless."""
    moved, undone, plain = held(bank), bank.pay(amount=10**8), bank.pay("TEST-REJECT-AC04")
    migrate(bank, moved, "debit-first@2")
    bank.decide(moved, "clear")
    for payment_id, status in ((moved, "completed"), (undone, "rejected"), (plain, "rejected")):
        bank.until_status(payment_id, status)
    bank.rest()
    reading = Reading.open(bank.data)
    try:
        ids = [moved, undone, plain]
        same = check(reading, ids, lambda by: None, workflows=versions)
        assert (same.found, sum(same.replayed.values())) == ([], 3)
        turned = payment("debit-first", version=1, steps=(SCREEN, DEBIT, EXECUTE, POST))
        changed = versions | {("debit-first", 1): turned}
        differing = check(reading, ids, lambda by: None, workflows=changed).differing
        assert {each.payment_id for each in differing} == set(ids)
        assert {each.difference.journal for each in differing} == {"DebitAccount to ledger"}
    finally:
        reading.close()


@pytest.mark.parametrize("place", [EFFECTIVE, SETTINGS])
def test_journals_replay_with_the_waits_that_were_configured(place: str, tmp_path: Path) -> None:
    """Where everything may take longer, so do waits before a further try; a backup knows that, too."""
    slow = {"payment": {"timeout_factor": 6}, "disbursement": {"workflow": "guarded"}}
    with Bank(tmp_path, WAY, **slow) as bank:
        bank.open_account(deposit=500)
        payment_id = bank.pay()  # there is no money for it yet
        bank.rest()
        assert "PaymentPostponed" in bank.story(payment_id)
        reading = Reading.open(bank.data)
        try:
            assert len(check(reading, [payment_id], lambda by: None).differing) == 1
            (tmp_path / "run").mkdir(exist_ok=True)
            (tmp_path / place).write_text(bank.cell.settings.model_dump_json())
            assert check(reading, [payment_id], lambda by: None).found == []
        finally:
            reading.close()
        bank.cancel(payment_id)


def test_a_version_is_needed_while_a_payment_under_way_runs_it(
    bank: Bank, versions: dict[tuple[str, int], object]
) -> None:
    """Whoever removes it earlier could not end that payment; afterwards nobody misses it."""
    payment_id = held(bank)
    reading = Reading.open(bank.data)
    try:
        without = {key: each for key, each in versions.items() if key != DEBIT_FIRST_1}
        assert needed(reading.readers["cell-0"]) == {DEBIT_FIRST_1: 1}
        bank.crash()
        assert lacking(reading.readers, without, accepted) == {DEBIT_FIRST_1: {"cell-0": 1}}
        migrate(bank, payment_id, "debit-first@2")
        assert lacking(reading.readers, without, accepted) == {}
    finally:
        reading.close()
    bank.decide(payment_id, "clear")
    bank.until_status(payment_id, "completed")


def test_a_version_is_needed_by_a_payment_that_was_accepted_and_has_not_begun(
    bank: Bank, versions: dict[tuple[str, int], object]
) -> None:
    """While Payment is paused no saga knows of it; without its version it would never begin."""
    bank.cell.tell("pauses", PauseTarget(kind=SERVICE, name="payment", by="Ada", reason="maintenance"))
    payment_id = bank.pay()
    reading = Reading.open(bank.data)
    try:
        without = {key: each for key, each in versions.items() if key != DEBIT_FIRST_1}
        assert lacking(reading.readers, without, accepted) == {DEBIT_FIRST_1: {"cell-0": 1}}
        assert who_needs(reading.readers["cell-0"], DEBIT_FIRST_1, 3, accepted) == [payment_id]
        assert needs(reading)[Run("orchestrated", *DEBIT_FIRST_1)].payments == 1
        bank.cell.tell("pauses", ResumeTarget(kind=SERVICE, name="payment", by="Ada", reason="done"))
        bank.until_status(payment_id, "completed")
        assert lacking(reading.readers, without, accepted) == {}
        assert needs(reading)[Run("orchestrated", *DEBIT_FIRST_1)].payments == 0
    finally:
        reading.close()


def test_where_sagas_live_elsewhere_the_tracker_knows_who_has_not_begun(tmp_path: Path) -> None:
    """Its cell refuses to start; whoever needs attention has begun, or a person knows of it."""
    session = open_store(tmp_path)
    keep_payment(session, "P-1", "received")
    keep_payment(session, "P-2", "debiting")
    keep_payment(session, "P-3", "needs_attention", "NARR")
    assert lacking({"cell-0": session}, WORKFLOWS, accepted) == {}
    assert lacking({"cell-0": session}, {}, accepted) == {DEBIT_FIRST_1: {"cell-0": 1}}
    assert who_needs(session, DEBIT_FIRST_1, 3, accepted) == ["P-1"]
    session.roll_back()
    session.close()


def test_what_is_late_for_an_ended_payment_needs_no_version_of_its_own(
    bank: Bank, versions: dict[tuple[str, int], object]
) -> None:
    """Money may come back a month later, when nobody has the old version any more."""
    payment_id = bank.pay("TEST-RETURN-MD07")
    bank.until_status(payment_id, "completed")
    del versions["debit-first", 1]
    bank.crash()
    bank.pass_time(60)
    bank.until_status(payment_id, "returned")
