"""Real processes: they start, are killed, hang, are replaced and end; and nothing is ever left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # its stubs are not among our tools
import pytest

from actors.runtime.launch import (
    StartRefused,
    is_running,
    running_processes,
    start_system,
    stop_system,
)
from actors.runtime.supervision import SupervisionSpec
from tests.fakes.running import PLAN, RunningSystem, eventually

ALL = {"admin", "logger", "supervisor", "gateway", "cell-0", "cell-1"}


@pytest.fixture
def system(tmp_path: Path) -> Iterator[RunningSystem]:
    """A running system of two cells."""
    with RunningSystem(tmp_path) as running:
        yield running


def gone(pids: dict[str, int]) -> bool:
    """Whether none of these processes runs any more (a zombie that nobody reaps doesn't run)."""
    return not any(
        psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids.values()
    )


def test_a_started_system_serves_and_has_every_process_on_record(system: RunningSystem) -> None:
    """What is on record can be ended by whoever comes later."""
    assert system.echoes("cell-0")
    assert system.echoes("cell-1")
    assert set(system.pids()) == ALL
    assert is_running(system.data)


def test_a_stopped_system_has_closed_its_cells_and_leaves_no_process(system: RunningSystem) -> None:
    """A stop that leaves a process behind would keep the store locked."""
    pids = system.pids()
    assert stop_system(system.data)
    assert gone(pids)
    assert not is_running(system.data)
    assert (system.data / "cell-0.closed").exists()
    assert (system.data / "cell-1.closed").exists()


def test_stopping_where_nothing_runs_says_so(tmp_path: Path) -> None:
    """`stop` is harmless however often it is given."""
    assert not stop_system(tmp_path)


def test_a_system_can_be_started_again_after_a_stop(system: RunningSystem) -> None:
    """Nothing of the first run stands in the way of the second."""
    stop_system(system.data)
    start_system(system.plan)
    assert system.echoes()


def test_an_operators_stop_through_the_gateway_ends_everything(system: RunningSystem) -> None:
    """The supervisor can be told to stop by whoever can reach the socket."""
    pids = system.pids()
    assert system.ask(do="stop") == {"stopping": True}
    eventually(lambda: gone(pids))


def test_a_killed_cell_is_replaced_and_the_others_are_told(system: RunningSystem) -> None:
    """A cell's death costs its payments a moment, not their lives."""
    pid = system.kill("cell-0")
    cell = eventually(lambda: (cell := system.cell("cell-0"))["state"] == "ready" and cell["pid"] != pid and cell)
    assert (cell["incarnation"], cell["restarts"]) == (2, 1)
    eventually(lambda: system.ask(peers=1)["introductions"] >= 3)
    assert system.echoes("cell-0")
    assert not (system.data / "cell-0.closed").exists()


def test_a_killed_gateway_is_replaced(system: RunningSystem) -> None:
    """The system's only door opens again by itself."""
    pid = system.kill("gateway")
    eventually(lambda: system.pids().get("gateway", pid) != pid)
    eventually(lambda: _reachable(system))


def _reachable(system: RunningSystem) -> bool:
    try:
        return system.ask(peers=1)["peers"] == ["cell-0", "cell-1", "gateway"] and system.echoes()
    except (OSError, ValueError):
        return False


def test_a_hanging_cell_is_killed_and_replaced(tmp_path: Path) -> None:
    """A process that is there but does nothing is worse than one that is gone."""
    with RunningSystem(tmp_path, heartbeat_deadline=timedelta(seconds=1)) as system:
        pid = system.cell("cell-0")["pid"]
        system.tell(to="cell-0", payload="hang")
        eventually(lambda: (cell := system.cell("cell-0"))["state"] == "ready" and cell["pid"] != pid)
        assert gone({"cell-0": pid})
        assert system.echoes("cell-0")


def test_a_stopped_cell_process_is_killed_and_replaced(tmp_path: Path) -> None:
    """SIGSTOP is a hang too, and SIGKILL ends even that."""
    with RunningSystem(tmp_path, heartbeat_deadline=timedelta(seconds=1)) as system:
        pid = system.pids()["cell-1"]
        os.kill(pid, signal.SIGSTOP)
        eventually(lambda: (cell := system.cell("cell-1"))["state"] == "ready" and cell["pid"] != pid)


def test_a_core_that_raises_ends_its_process_and_is_replaced(system: RunningSystem) -> None:
    """Half-changed state is never worked on: the next process recovers from the last commit."""
    system.tell(to="cell-0", payload="raise")
    eventually(lambda: (cell := system.cell("cell-0"))["state"] == "ready" and cell["incarnation"] == 2)
    assert "told to raise" in (system.data / "logs" / "cell-0.log").read_text()


def test_the_fault_drill_kills_by_name(system: RunningSystem) -> None:
    """`kill cell-1` is a real kill, and an unknown name is answered with the known ones."""
    assert system.ask(do="kill", name="cell-1")["killed"] == "cell-1"
    eventually(lambda: system.cell("cell-1")["incarnation"] == 2)
    assert "cell-0" in system.ask(do="kill", name="cell-9")["error"]


@pytest.mark.parametrize("victim", ["supervisor", "admin"])
def test_without_supervisor_or_administrator_nothing_lives_on(system: RunningSystem, victim: str) -> None:
    """An orphaned cell would go on paying with nobody to stop it."""
    pids = system.pids()
    system.kill(victim)
    eventually(lambda: gone(pids))
    eventually(lambda: not is_running(system.data))
    start_system(system.plan)
    assert system.echoes()


def test_a_killed_logger_disturbs_nobody(system: RunningSystem) -> None:
    """Thespian's logger is not part of any payment."""
    pid = system.kill("logger")
    eventually(lambda: system.pids().get("logger", pid) != pid)
    assert system.echoes()
    assert stop_system(system.data)


def test_of_two_starts_at_once_one_wins_and_the_other_says_so(tmp_path: Path) -> None:
    """Two systems on one store would pay twice."""
    plan = replace(PLAN, data=str(tmp_path))

    def start() -> Exception | None:
        try:
            start_system(plan)
        except StartRefused as refusal:
            return refusal
        return None

    with ThreadPoolExecutor(2) as pool:
        outcomes = [future.result() for future in [pool.submit(start), pool.submit(start)]]
    try:
        assert sorted(outcome is None for outcome in outcomes) == [False, True]
        assert len(running_processes(tmp_path)) == len(ALL)
    finally:
        stop_system(tmp_path, now=True)


def test_a_cell_that_refuses_to_open_refuses_the_start_with_its_sentence(tmp_path: Path) -> None:
    """The operator reads what to do, and nothing half-started is left."""
    (tmp_path / "cell-1.refuse").write_text("another number of cells: move the slots first")
    with pytest.raises(StartRefused, match="move the slots first"):
        start_system(replace(PLAN, data=str(tmp_path)))
    assert running_processes(tmp_path) == []
    assert not is_running(tmp_path)


def test_a_cell_that_dies_at_every_start_refuses_the_start(tmp_path: Path) -> None:
    """A start that can never succeed ends with a reason instead of trying for ever."""
    (tmp_path / "cell-0.die").touch()
    spec = SupervisionSpec(intensity=1, initial_backoff=timedelta(milliseconds=10))
    with pytest.raises(StartRefused, match="cell-0 was given up after 2 failures"):
        start_system(replace(PLAN, data=str(tmp_path), supervision=spec))
    assert running_processes(tmp_path) == []


def test_a_stop_does_not_wait_for_ever_for_a_hanging_cell(tmp_path: Path) -> None:
    """What hangs is killed at the deadline, and all the others have closed in order."""
    with RunningSystem(tmp_path, stop_deadline=timedelta(milliseconds=500)) as system:
        pids = system.pids()
        system.tell(to="cell-0", payload="hang")
        assert stop_system(tmp_path)
        assert gone(pids)
        assert (tmp_path / "cell-1.closed").exists()


def test_code_that_cannot_be_imported_refuses_the_start(tmp_path: Path) -> None:
    """A typing error in the settings is a sentence, not a hang."""
    with pytest.raises(StartRefused, match="no_such_module"):
        start_system(replace(PLAN, data=str(tmp_path), core_factory="no_such_module:build"))
    assert running_processes(tmp_path) == []


def test_a_cell_that_keeps_dying_is_given_up_while_the_others_serve(tmp_path: Path) -> None:
    """One broken partition must not take the others along."""
    spec = SupervisionSpec(intensity=2, initial_backoff=timedelta(milliseconds=10))
    with RunningSystem(tmp_path, supervision=spec) as system:
        (tmp_path / "cell-0.die").touch()
        system.kill("cell-0")
        eventually(lambda: system.cell("cell-0")["state"] == "given_up")
        assert "given up after 3 failures" in system.cell("cell-0")["reason"]
        assert system.ask(do="status")["state"] == "degraded"
        assert system.echoes("cell-1")


def test_a_cell_that_says_why_it_can_not_start_is_tried_until_it_can(tmp_path: Path) -> None:
    """A full disk may stay full longer than any period: who waits for space is not given up."""
    spec = SupervisionSpec(
        intensity=2, initial_backoff=timedelta(milliseconds=10), maximum_backoff=timedelta(milliseconds=20)
    )
    with RunningSystem(tmp_path, supervision=spec) as system:
        refusal = tmp_path / "cell-0.refuse"
        refusal.write_text("no space is left on the disk: make some")
        system.kill("cell-0")
        eventually(lambda: system.cell("cell-0")["restarts"] > 5)
        assert "make some" in system.cell("cell-0")["reason"]
        refusal.unlink()
        eventually(lambda: system.cell("cell-0")["state"] == "ready")
        assert system.echoes("cell-0")


def test_one_for_all_replaces_the_siblings_too(tmp_path: Path) -> None:
    """The strategy reaches the processes."""
    with RunningSystem(tmp_path, supervision=SupervisionSpec(strategy="one_for_all")) as system:
        before = system.pids()
        system.kill("cell-0")
        eventually(lambda: _reachable(system))
        eventually(lambda: system.ask(do="ready")["ready"])
        after = system.pids()
        assert all(after[name] != before[name] for name in ("gateway", "cell-0", "cell-1"))


def test_the_system_outlives_its_starter_and_keeps_none_of_its_files(tmp_path: Path) -> None:
    """`start` returns to the shell: no open pipe, no terminal, no session of the starter's is kept."""
    code = (
        "import sys; from pathlib import Path; from dataclasses import replace;"
        "from tests.fakes.running import PLAN; from actors.runtime.launch import start_system;"
        "start_system(replace(PLAN, data=sys.argv[1])); print('started')"
    )
    # `run` waits for the end of both pipes: a process that had inherited one would keep it waiting.
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, timeout=20, cwd=root, check=True
    )
    try:
        assert done.stdout == b"started\n"
        processes = [psutil.Process(entry.pid) for entry in running_processes(tmp_path)]
        assert len(processes) == len(ALL)
        assert all(process.terminal() is None for process in processes)
        assert os.getsid(0) not in {os.getsid(process.pid) for process in processes}
    finally:
        stop_system(tmp_path, now=True)


def test_a_leftover_on_record_is_ended_by_the_next_start_and_a_stranger_is_not(tmp_path: Path) -> None:
    """A pid that now belongs to another program is recognised by its start time."""
    with RunningSystem(tmp_path) as system:
        record = tmp_path / "run" / "processes.json"
        kept = record.read_text()
        stop_system(system.data)
        stranger = subprocess.Popen(["sleep", "60"])
        try:
            record.write_text(kept.replace(f'"pid": {system_pid(kept)}', f'"pid": {stranger.pid}'))
            start_system(system.plan)
            assert stranger.poll() is None
        finally:
            stranger.kill()
            stranger.wait()


def system_pid(record: str) -> str:
    """The first pid in a record."""
    return record.split('"pid": ')[1].partition(",")[0]
