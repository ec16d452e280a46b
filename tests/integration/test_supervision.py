"""OTP's words on real processes: who is restarted, who stays down, who is stopped first, and that no orphan is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from actors.runtime.ending import reason_of_end
from actors.runtime.launch import StartRefused, is_running, running_processes, start_system, stop_system
from actors.runtime.processes import Recorded, wait_for_exit
from actors.runtime.supervision import SupervisionSpec
from tests.fakes.running import PLAN, RunningSystem, eventually

ROOT = Path(__file__).parents[2]
SECONDS = timedelta(seconds=10)  # for processes to be gone
CELLS = ("cell-0", "cell-1", "cell-2")
QUICK = SupervisionSpec(intensity=2, initial_backoff=timedelta(milliseconds=10))


def all_gone(processes: list[Recorded]) -> bool:
    """Whether the kernel says of each of them, by its pidfd, that it has ended."""
    return all(wait_for_exit(process, SECONDS) for process in processes)


def state_of(system: RunningSystem, name: str) -> str:
    """What the supervisor says of a cell."""
    return str(system.cell(name)["state"])


def hang(system: RunningSystem, name: str) -> None:
    """Let a cell hang, and return when it does."""
    system.tell(to=name, payload="hang")
    eventually((system.data / f"{name}.hangs").exists)


def history(data: Path) -> list[str]:
    """The supervisor's log, in words."""
    return [json.loads(line)["event"] for line in (data / "logs" / "supervisor.log").read_text().splitlines()]


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data directory in which nothing runs in the end."""
    yield tmp_path
    stop_system(tmp_path, now=True, patience=timedelta(seconds=5))


# Kinds of children


def test_a_transient_cell_that_ends_in_good_order_stays_down_and_one_that_is_killed_comes_back(data: Path) -> None:
    """An operator takes one cell out of service with SIGTERM; a crash is still a crash."""
    with RunningSystem(data, restart="transient") as system:
        system.kill("cell-0")
        eventually(lambda: system.cell("cell-0")["incarnation"] == 2 and state_of(system, "cell-0") == "ready")
        os.kill(system.pids()["cell-0"], signal.SIGTERM)
        eventually(lambda: state_of(system, "cell-0") == "down")
        assert (data / "cell-0.closed").read_text() == "2"
        assert "good order, and a transient one stays down" in system.cell("cell-0")["reason"]
        assert system.ask(do="status")["state"] == "degraded"
        assert system.echoes("cell-1")


def test_a_permanent_cell_comes_back_from_an_orderly_end_too(data: Path) -> None:
    """Nobody has said that it may go."""
    with RunningSystem(data) as system:
        os.kill(system.pids()["cell-0"], signal.SIGTERM)
        eventually(lambda: system.cell("cell-0")["incarnation"] == 2 and state_of(system, "cell-0") == "ready")


def test_a_temporary_cell_is_never_restarted_not_even_with_its_siblings(data: Path) -> None:
    """All others go on without it."""
    with RunningSystem(
        data, cells=CELLS, restart_of={"cell-2": "temporary"}, supervision=SupervisionSpec(strategy="one_for_all")
    ) as system:
        system.kill("cell-0")
        eventually(lambda: _reachable(system, "cell-0") and _reachable(system, "cell-1"))
        assert state_of(system, "cell-2") == "down"
        assert system.cell("cell-2")["reason"] == ("it was ended along with cell-0, and a temporary one stays down")


def test_rest_for_one_restarts_those_that_were_started_later(data: Path) -> None:
    """A cell that others build on takes them along, and not those that it builds on itself."""
    with RunningSystem(data, cells=CELLS, supervision=SupervisionSpec(strategy="rest_for_one")) as system:
        before = system.pids()
        system.kill("cell-1")
        eventually(lambda: system.cell("cell-2")["incarnation"] == 2 and system.ask(do="ready")["ready"])
        after = system.pids()
        assert {name for name in before if before[name] != after[name]} == {"cell-1", "cell-2"}


def _reachable(system: RunningSystem, peer: str) -> bool:
    try:
        return system.ask(timeout_s=0.5, to=peer, payload="hello") == {"payload": "hello"}
    except (OSError, ValueError):
        return False


# Stopping


def test_the_last_started_is_the_first_to_be_stopped_and_the_gateway_the_last(data: Path) -> None:
    """In reverse: whoever is stopped finds all that it was started after still there."""
    with RunningSystem(data, cells=CELLS) as system:
        stop_system(system.data)
        gone = [event.partition(" ")[0] for event in history(data) if "is gone" in event]
        assert gone == ["cell-2", "cell-1", "cell-0", "gateway"]


def test_a_cell_that_hangs_at_a_stop_costs_the_others_nothing(data: Path) -> None:
    """It is killed when its own time is over; those after it close their stores in order."""
    with RunningSystem(data, cells=CELLS, stop_deadline=timedelta(milliseconds=500)) as system:
        hang(system, "cell-2")
        stop_system(system.data)
        assert [(data / f"cell-{number}.closed").exists() for number in range(3)] == [True, True, False]


# Escalation


def test_where_failures_mean_stop_the_whole_system_ends_with_the_reason(data: Path) -> None:
    """So that a service manager, the supervisor's own parent, starts all of it anew."""
    with RunningSystem(data, supervision=replace(QUICK, exceeded="stop")) as system:
        processes = running_processes(data)
        (data / "cell-0.die").touch()
        system.kill("cell-0")
        assert all_gone(processes)
        eventually(lambda: not is_running(data))
        assert "cell-0: the last of 3 failures" in str(reason_of_end(data))
        assert (data / "cell-1.closed").exists()
        (data / "cell-0.die").unlink()
        start_system(system.plan)
        assert reason_of_end(data) is None
        assert system.echoes("cell-0")


def test_a_temporary_cell_that_dies_at_the_start_refuses_the_start(data: Path) -> None:
    """It would never come, and whoever starts has to know."""
    (data / "cell-1.die").touch()
    with pytest.raises(StartRefused, match="cell-1 was down: its process ended with status 9"):
        start_system(replace(PLAN, data=str(data), restart_of={"cell-1": "temporary"}))
    assert running_processes(data) == []


def test_a_process_that_is_not_there_can_not_be_supervised(data: Path) -> None:
    """The start is refused with the names that there are."""
    with pytest.raises(StartRefused, match="names ledger, but the processes are gateway, cell-0, cell-1"):
        start_system(replace(PLAN, data=str(data), restart_of={"ledger": "temporary"}))
    assert running_processes(data) == []


@pytest.mark.parametrize("plan", [{"restart": "temporary"}, {"restart_of": {"gateway": "temporary"}}])
def test_without_a_gateway_the_system_ends(data: Path, plan: dict[str, object]) -> None:
    """Cells that nobody can reach serve nobody, and a service manager can bring all of it back."""
    with RunningSystem(data, supervision=SupervisionSpec(strategy="one_for_all"), **plan) as system:
        processes = running_processes(data)
        system.kill("gateway" if "restart" in plan else "cell-0")
        assert all_gone(processes)
        assert str(reason_of_end(data)).startswith("gateway: ")


# Messages that are to blame


def test_deaths_that_a_message_is_blamed_for_do_not_give_the_cell_up(data: Path) -> None:
    """Its successor names it to the supervisor: all of them count once."""
    with RunningSystem(data, supervision=QUICK) as system:
        (data / "cell-0.blame").write_text("disbursement/M1")
        for incarnation in range(2, 7):
            system.kill("cell-0")
            eventually(
                lambda: (cell := system.cell("cell-0"))["incarnation"] == incarnation and cell["state"] == "ready"  # noqa: B023 -- at once
            )
        (data / "cell-0.blame").unlink()
        for _ in range(2):  # one has been counted
            assert state_of(system, "cell-0") == "ready"
            pid = system.kill("cell-0")
            eventually(lambda: (cell := system.cell("cell-0"))["pid"] not in {pid, None} or cell["state"] == "given_up")  # noqa: B023 -- at once
            eventually(lambda: state_of(system, "cell-0") in {"ready", "given_up"})
        assert state_of(system, "cell-0") == "given_up"


# No orphan


@pytest.mark.parametrize("victim", ["supervisor", "admin"])
def test_when_the_head_is_killed_the_kernel_sees_every_process_end(data: Path, victim: str) -> None:
    """Also one that hangs and could not end itself."""
    with RunningSystem(data, cells=CELLS) as system:
        processes = running_processes(data)
        os.kill(system.pids()["cell-1"], signal.SIGSTOP)
        hang(system, "cell-2")
        system.kill(victim)
        assert all_gone(processes)
        assert not is_running(data)


def test_the_logger_may_die_while_cells_die_and_at_the_stop(data: Path) -> None:
    """It is replaced, and is no orphan either."""
    with RunningSystem(data) as system:
        first = running_processes(data)
        killed = {name: system.kill(name) for name in ("logger", "cell-0")}
        eventually(lambda: all(system.pids().get(name, pid) != pid for name, pid in killed.items()))
        eventually(lambda: state_of(system, "cell-0") == "ready")
        processes = [*first, *running_processes(data)]
        system.kill("logger")
        stop_system(data)
        assert all_gone(processes)


def test_a_system_that_is_kept_by_a_process_ends_in_good_order_with_it(data: Path) -> None:
    """A `start` in the foreground that is killed must not leave a system that nobody watches."""
    keeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with RunningSystem(data, keeper=keeper.pid):
            processes = running_processes(data)
            keeper.kill()
            keeper.wait()
            assert all_gone(processes)
            assert (data / "cell-0.closed").exists()
    finally:
        keeper.kill()
        keeper.communicate()


def test_a_start_waits_for_a_system_that_is_stopping(data: Path) -> None:
    """A service manager that restarts at once must not be told that one runs already."""
    with RunningSystem(data, stop_deadline=timedelta(seconds=1)) as system:
        first = running_processes(data)
        hang(system, "cell-0")  # so that the stop takes its time
        system.ask(do="stop")
        assert is_running(data)
        start_system(system.plan)
        assert all_gone(first)
        assert system.echoes("cell-0")
