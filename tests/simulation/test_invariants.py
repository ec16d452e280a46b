"""The checks themselves: a world at rest holds, and whatever is bent in its stores is named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actors import assembly
from actors.simulation import ending
from actors.simulation.cells import SimulatedCell, Violation
from actors.simulation.world import Plan, SimulatedWorld

Resting = tuple[SimulatedWorld, dict[str, list[str]]]


@pytest.fixture
def resting() -> Iterator[Resting]:
    """A small world in which nothing went wrong, and its payments by status."""
    assembly.load_messages()
    world = SimulatedWorld(1, Plan(payments=120, intensity=0.0))
    world.live()
    by_status: dict[str, list[str]] = {}
    for payment_id, (status, _) in ending.statuses(world.cells).items():
        by_status.setdefault(status, []).append(payment_id)
    yield world, by_status
    world.close()


def cell_of(world: SimulatedWorld, payment_id: str) -> SimulatedCell:
    """Where a payment lives."""
    return next(cell for cell in world.cells if cell.disk.rows("SELECT 1 FROM orders WHERE payment_id = ?", payment_id))


def bend(world: SimulatedWorld, payment_id: str, sql: str) -> None:
    """Change what stands in a payment's store behind everybody's back."""
    cell_of(world, payment_id).disk.connection.execute(sql, (payment_id,))


def test_a_world_where_nothing_goes_wrong_breaks_nothing(resting: Resting) -> None:
    """The checks cry wolf at no healthy payment."""
    world, by_status = resting
    assert world.outcome.violations == []
    assert len(by_status["completed"]) > 30


BENT = (
    ("completed", "UPDATE debits SET state = 'pending' WHERE debit_id = ?", "its debit was posted and became pending"),
    ("completed", "UPDATE debits SET amount = amount + 1 WHERE debit_id = ?", "its debit of"),
    ("completed", "DELETE FROM debits WHERE debit_id = ?", "is gone"),
    ("completed", "DELETE FROM executions WHERE payment_id = ?", "its instruction, which was executed, is gone"),
    ("completed", "UPDATE executions SET state = 'rejected' WHERE payment_id = ?", "was executed and became rejected"),
    ("completed", "UPDATE tracker_payments SET status = 'rejected' WHERE payment_id = ?", "it had ended as completed"),
    (
        "completed",
        "UPDATE tracker_payments SET status = 'needs_attention', reason = NULL WHERE payment_id = ?",
        "nobody says why",
    ),
    ("returned", "UPDATE tracker_payments SET status = 'executing' WHERE payment_id = ?", "it had ended as returned"),
    ("rejected", "UPDATE tracker_payments SET status = 'completed' WHERE payment_id = ?", "it had ended as rejected"),
)


@pytest.mark.parametrize(("status", "sql", "sentence"), BENT)
def test_a_bent_payment_is_named(resting: Resting, status: str, sql: str, sentence: str) -> None:
    """Each promise is looked at, payment by payment, in the words of whoever must find the defect."""
    world, by_status = resting
    payment_id = by_status[status][0]
    bend(world, payment_id, sql)
    with pytest.raises(Violation, match=sentence) as found:
        world.invariants.payment(payment_id)
    assert found.value.payment_id == payment_id


def test_money_made_of_nothing_is_named(resting: Resting) -> None:
    """Per currency all postings sum to zero, after every commit."""
    world, by_status = resting
    cell = cell_of(world, by_status["completed"][0])
    cell.disk.connection.execute("UPDATE accounts SET posted = posted + 1 WHERE account_id LIKE 'ACC-EUR-%'")
    with pytest.raises(Violation, match="not to zero"):
        world.invariants._money(cell)


def test_what_is_lost_or_left_over_at_the_end_is_named(resting: Resting) -> None:
    """A forgotten order, a task that nobody does, a payment that is stuck."""
    world, by_status = resting
    lost, stuck = by_status["completed"][:2]
    bend(world, lost, "DELETE FROM orders WHERE payment_id = ?")
    bend(world, stuck, "UPDATE tracker_payments SET status = 'executing' WHERE payment_id = ?")
    cell = world.cells[0]
    cell.disk.connection.execute("INSERT INTO outbox VALUES (999999, 'rail', x'00')")
    for each in world.cells:
        each.disk.connection.execute("DETACH rail")
    found = ending.check(world.cells, world.accepted, world.orders, whole=True)
    named = {(each.payment_id, each.sentence.partition(":")[0]) for each in found}
    assert (stuck, "it is silently stuck") in named
    assert any(payment_id == lost and "is lost" in sentence for payment_id, sentence in named)
    assert (None, "cell-0 has 1 tasks that no worker has finished") in named
