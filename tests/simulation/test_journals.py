"""Worlds whose journals are held against another program: what differs is found, wherever the services live."""

from __future__ import annotations

from collections import Counter

import pytest

from actors import assembly
from actors.admin.checking import Checked, Found, check_stores
from actors.admin.journals import Begun, with_sagas
from actors.directory import log
from actors.limits.messages import CheckLimits
from actors.payment.workflow import DEBIT, EXECUTE, POST, SCREEN, payment
from actors.simulation import workflows
from actors.simulation.cells import SimulatedCell
from actors.simulation.disk import DiskReader
from actors.simulation.run import simulate
from actors.simulation.world import Plan, SimulatedWorld

WITHOUT_LIMITS = payment("debit-first", version=2, steps=(DEBIT, SCREEN, EXECUTE, POST))


@pytest.mark.parametrize("topology", ["embedded", "partitioned", "isolated"])
def test_a_step_less_is_found_in_each_payment_that_has_done_it_and_in_no_other(topology: str) -> None:
    """However many orders of its messages are tried: none of them makes up for what this program leaves out."""
    assembly.load_messages()
    world = SimulatedWorld(7, Plan(payments=100, topology=topology))
    world.live()
    readers = {cell.name: DiskReader(cell.disk) for cell in world.cells}
    runs = {row[0]: row[1:] for reader in readers.values() for row in reader.all(SAGAS)}
    limited = {payment_id for payment_id in runs if has_been_limited(readers, payment_id)}
    changed = workflows.VERSIONS | {("debit-first", 2): WITHOUT_LIMITS}
    checked = check_stores(readers, sorted(runs), Begun.now(readers), changed)
    world.close()
    assert world.outcome.violations == []
    found = {each.payment_id for each in checked.differing}
    assert not checked.not_replayed
    assert found <= limited
    assert found >= {payment_id for payment_id in limited if runs[payment_id] == ("debit-first", 2)} > set()


SAGAS = "SELECT payment_id, workflow, version FROM sagas"


def has_been_limited(readers: dict[str, DiskReader], payment_id: str) -> bool:
    """Whether the saga has asked for its limits."""
    records = [record for reader in readers.values() for record in log.timeline(reader, payment_id)]
    return any(isinstance(record.envelope.message, CheckLimits) for record in records)


@pytest.mark.parametrize(("topology", "seeds"), [("partitioned", (1, 2)), ("isolated", (4, 6))])
def test_journals_replay_at_any_moment(topology: str, seeds: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Between cells, put aside, parked, dead or just begun: what has not been taken yet makes no difference."""
    live, found, looked = SimulatedWorld.live, list[Found](), Counter[str]()

    def watched(world: SimulatedWorld) -> None:
        advance = world.timeline.advance

        def advance_and_look() -> bool:
            looked["steps"] += 1
            if looked["steps"] % EVERY == 0 and all(not cell.disk.connection.in_transaction for cell in world.cells):
                checked = everything_in(world)
                looked["sagas"] += checked.replayed.total()
                found.extend(checked.found)
            return advance()

        monkeypatch.setattr(world.timeline, "advance", advance_and_look)
        live(world)

    monkeypatch.setattr(SimulatedWorld, "live", watched)
    for seed in seeds:
        assert simulate(seed, Plan(payments=80, topology=topology, intensity=2.0)).violations == []
    assert found == []
    assert looked["sagas"] > 200


EVERY = 150  # steps of a world


def everything_in(world: SimulatedWorld) -> Checked:
    """All journals of a world as it stands."""
    readers = {cell.name: DiskReader(cell.disk) for cell in world.cells if has_log(cell)}
    sagas = [row[0] for reader in with_sagas(readers).values() for row in reader.all("SELECT payment_id FROM sagas")]
    return check_stores(readers, sagas, Begun.now(readers), workflows.VERSIONS)


def has_log(cell: SimulatedCell) -> bool:
    """Whether the cell has been started yet."""
    return bool(cell.disk.connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'log_parts'").fetchall())
