"""Real processes, real kills: whatever dies, every order of a file ends as it must, once."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # its stubs are not among our tools
import pytest

from actors.gateway.client import NoAnswer, NotRunning
from actors.runtime.launch import is_running
from tests.fakes.installation import Done, Installation, OrderFile, agree, end, open_accounts
from tests.fakes.running import eventually

LINES = int(os.environ.get("PAYSAGA_KILL_LINES", "2000"))  # 10000 is the long version
SLOW_RAIL = {
    "execution.delay_ms": "[2000, 3500]",  # so that many payments are at the bank at once
    "execution.query_after_seconds": "4.5",
    "execution.doubt_after_seconds": "9",
}
QUICK_DOUBT = {"execution.query_after_seconds": "2", "execution.doubt_after_seconds": "9"}  # a silent bank's payments
EXECUTING = 500
VICTIMS = {  # of each topology, in the order in which they are killed
    "embedded": ("cell-0", "cell-0", "cell-0", "cell-0"),
    "partitioned": ("cell-0", "cell-1", "cell-0", "cell-1"),
    "isolated": ("ledger", "payment-0", "execution", "tracker"),
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data directory."""
    return tmp_path / "data"


def gone(pids: dict[str, int]) -> bool:
    """Whether none of these processes runs any more."""
    return not any(
        psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids.values()
    )


def whole(system: Installation) -> bool:
    """Whether every process is ready, as far as it can be asked."""
    try:
        return system.is_whole()
    except (NoAnswer, NotRunning):
        return False


def complaints(done: Done) -> list[str]:
    """What a submit has said beside its document, but for how often it was told to come later."""
    return [line for line in done.err.splitlines() if not line.startswith("the system was busy: it asked")]


def replaced(system: Installation, name: str, pid: int) -> bool:
    """Whether another process has taken the place of the one that was killed."""
    return system.pids().get(name, pid) != pid


@pytest.mark.parametrize("topology", VICTIMS)
def test_a_file_is_paid_while_cells_are_killed(data: Path, tmp_path: Path, topology: str) -> None:
    """Four kills, each with at least 500 payments at the bank: nothing is lost, doubled or left behind."""
    orders = OrderFile.write(tmp_path / "orders.csv", LINES)
    victims = VICTIMS[topology]
    with Installation(data, SLOW_RAIL, topology=topology) as system:
        open_accounts(system)
        submit = system.begin("submit", str(orders.path), "--wait", "--timeout", "300", "--json")
        for name in victims:
            eventually(lambda: system.executing() >= EXECUTING, 60)
            killed = system.kill(name)
            eventually(lambda: replaced(system, name, killed.pid) and whole(system), 30)  # noqa: B023 -- at once
        done = end(submit, 300)
        assert done.status == 4, done.err  # some are held, some need attention
        assert (done.json["accepted"], done.json["duplicates"], done.json["refused"]) == (LINES, 0, [])
        assert Counter(done.json["by_status"]) == orders.statuses
        assert Counter({name: system.cell(name)["restarts"] for name in victims}) == Counter(victims)
        agree(system, orders)


def test_without_aml_payments_wait_and_the_others_go_on(data: Path, tmp_path: Path) -> None:
    """A service that lives apart dies alone: its payments are late, not lost, and nobody else is started again."""
    orders = OrderFile.write(tmp_path / "orders.csv", LINES)
    with Installation(data, QUICK_DOUBT, topology="isolated") as system:
        open_accounts(system)
        before = system.pids()
        submit = system.begin("submit", str(orders.path), "--wait", "--timeout", "300", "--json")
        for screened in (LINES // 8, LINES // 4, LINES // 2):
            eventually(lambda: system.number("SELECT count(*) FROM aml_screenings") >= screened, 60)  # noqa: B023
            killed = system.kill("aml")
            eventually(lambda: replaced(system, "aml", killed.pid), 30)  # noqa: B023 -- at once
        done = end(submit, 300)
        assert done.status == 4, done.err  # some are held, some need attention
        assert (done.json["accepted"], done.json["duplicates"], done.json["refused"]) == (LINES, 0, [])
        after = system.pids()
        assert {name for name in before if before[name] != after[name]} == {"aml"}
        agree(system, orders)


def test_a_cell_that_hangs_is_killed_and_its_payments_go_on(data: Path, tmp_path: Path) -> None:
    """A stopped process answers no heartbeat; what was under way in it ends in its replacement."""
    orders = OrderFile.write(tmp_path / "orders.csv", 300, special=False)
    quick = {"supervision.heartbeat_seconds": "0.2", "supervision.silent_seconds": "2"}
    with Installation(data, quick) as system:
        open_accounts(system)
        submit = system.begin("submit", str(orders.path), "--wait", "--json")
        eventually(lambda: system.number("SELECT count(*) FROM claims") > 0)
        hung = system.kill("cell-1", signal.SIGSTOP)
        done = end(submit)
        assert done.status == 0, done.err
        eventually(lambda: replaced(system, "cell-1", hung.pid) and whole(system), 30)
        assert system.cell("cell-1")["restarts"] == 1
        agree(system, orders)


def test_a_client_carries_on_when_the_gateway_is_killed(data: Path, tmp_path: Path) -> None:
    """What was not answered is sent again through the next gateway, and one key stays one payment."""
    orders = OrderFile.write(tmp_path / "orders.csv", 1500, special=False)
    with Installation(data) as system:
        open_accounts(system)
        submit = system.begin("submit", str(orders.path), "--wait", "--json")
        for answered in (100, 700):
            eventually(lambda: system.number("SELECT count(*) FROM claims") > answered, 60)  # noqa: B023 -- at once
            killed = system.kill("gateway")
            assert system.run("status").status == 0, "whoever comes just now waits for the next gateway"
            eventually(lambda: replaced(system, "gateway", killed.pid), 30)  # noqa: B023 -- at once
        done = end(submit)
        assert done.status == 0, done.err
        assert complaints(done) == []
        assert (done.json["accepted"], done.json["duplicates"]) == (1500, 0)
        agree(system, orders)


@pytest.mark.parametrize("victim", ["supervisor", "admin"])
def test_a_system_without_its_head_ends_and_the_next_start_finishes_everything(
    data: Path, tmp_path: Path, victim: str
) -> None:
    """No cell pays on with nobody to watch it; payments at the bank are asked for after the start."""
    orders = OrderFile.write(tmp_path / "orders.csv", 400, special=False)
    with Installation(data, {"execution.delay_ms": "[900, 1300]"}) as system:
        open_accounts(system)
        pids = system.pids()
        submit = system.begin("submit", str(orders.path), "--wait", "--json")
        eventually(lambda: system.executing() >= 200)
        system.kill(victim)
        eventually(lambda: gone(pids))
        assert not is_running(data)
        assert system.executing() >= 200
        system.start()
        done = end(submit)
        assert done.status == 0, done.err
        assert complaints(done) == []
        agree(system, orders)


def test_stops_in_the_middle_of_a_submit_lose_nothing(data: Path, tmp_path: Path) -> None:
    """With --now or without, what was acknowledged is in the store; the submit goes on when the system is back."""
    orders = OrderFile.write(tmp_path / "orders.csv", 3000, special=False)
    with Installation(data) as system:
        open_accounts(system)
        submit = system.begin("submit", str(orders.path), "--wait", "--json")
        for taken, how in ((100, ()), (600, ("--now",))):
            pids = system.pids()
            eventually(lambda: system.number("SELECT count(*) FROM claims") > taken, 60)  # noqa: B023 -- at once
            stopped = system.run("stop", *how)
            assert (stopped.status, stopped.err) == (0, "")
            assert gone(pids)
            assert submit.poll() is None
            assert system.run("start", "--set", "topology.cells=2").status == 0
        done = end(submit)
        assert done.status == 0, done.err
        assert complaints(done) == []
        assert (done.json["accepted"], done.json["duplicates"]) == (3000, 0)
        agree(system, orders)


def test_of_two_starts_at_once_one_starts_the_system_and_both_say_what_is(data: Path) -> None:
    """The second neither starts a second system nor changes what the first one runs with."""
    system = Installation(data)
    try:
        starts = [system.begin("start", "--json", "--set", f"topology.cells={cells}") for cells in (2, 3)]
        ended = [end(each) for each in starts]
        assert [done.status for done in ended] == [0, 0], ended
        winner, loser = sorted(ended, key=lambda done: bool(done.json["already_running"]))
        assert (winner.json["already_running"], loser.json["already_running"]) == (False, True)
        assert len([name for name in system.pids() if name.startswith("cell-")]) == winner.json["cells"]
        opened = system.run("account", "open", "ACC-1", "--currency", "EUR")
        assert opened.status == 0, opened.err
    finally:
        system.__exit__()
    assert system.pids() == {}
