"""Real kills while people hold things back: pauses, approvals and jobs outlive every process, and all ends well."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from actors.admin.commands.steering import steer
from actors.admin.jobs import say
from actors.gateway.client import NoAnswer, NotRunning
from actors.messaging.message import Message
from actors.messaging.system_messages import PauseTarget, ResumeTarget, TargetStanding
from actors.operations.messages import PauseJob, ResumeJob
from tests.fakes.installation import ACCOUNTS, Installation, end, open_accounts
from tests.fakes.running import eventually

HEADER = "idempotency_key,debtor_account,creditor_name,creditor_account,amount,currency,flow,workflow,remittance\n"
FLOWS = ("orchestrated", "choreographed")
DOUBTFUL, GOOD = "V. Blockov", "Ann Example"
LOT = 150  # payments of the job, at a pace that it does not end by itself
SLOW, FAST = {"operators.items_per_second": "1"}, {"operators.items_per_second": "2000"}
PATIENCE_S = 60
# Each is ended while the job runs or while it is paused, by turns.
CELLS = {
    "embedded": ("cell-0", "cell-0"),
    "partitioned": ("cell-0", "cell-1", "cell-0", "cell-1"),
    "isolated": (
        "tracker", "disbursement", "ledger", "aml", "execution", "payment-0", "payment-1", "notification",
        "replication", "tracker",
    ),
}  # fmt: skip
BY = {"by": "Ada", "reason": "a look"}


@dataclass
class Standing:
    """What people hold back in a running system, by the keys of its orders."""

    system: Installation
    folder: Path
    job: subprocess.Popen[str] | None = None

    # Holding back

    def order(self, name: str, number: int, creditor: str = GOOD, amount: str = "1.00", workflow: str = "") -> None:
        """So many orders in both flows by turns, handed in."""
        path = self.folder / f"{name}.csv"
        lines = (
            f"{name}-{at},{ACCOUNTS[at % 7]},{creditor},TEST-OK,{amount},EUR,{FLOWS[0 if workflow else at % 2]},"
            f"{workflow},lot of {name}\n"
            for at in range(number)
        )
        path.write_text(HEADER + "".join(lines))
        done = self.system.run("submit", str(path))
        assert done.status == 0, done.err

    def ids(self, name: str) -> list[str]:
        """The payments of those orders."""
        sql = "SELECT payment_id FROM claims WHERE idempotency_key LIKE ? ORDER BY idempotency_key"
        return [row[0] for row in self.system.rows(sql, f"{name}-%")]

    def statuses(self, name: str) -> set[str]:
        """What has become of them."""
        wanted = set(self.ids(name))
        rows = self.system.rows("SELECT payment_id, status FROM tracker_payments")
        found = {payment_id: status for payment_id, status in rows if payment_id in wanted}
        return {found.get(payment_id, "unknown") for payment_id in wanted}

    def until(self, name: str, *statuses: str) -> None:
        """Wait until all of them have one of these."""
        eventually(lambda: self.statuses(name) <= set(statuses), PATIENCE_S)

    def tell_all(self, command: Message) -> None:
        """A service or the rail is paused or resumed, in every cell."""
        with self.system.client() as client:
            for answer in client.broadcast(command, "pauses", kind="operator"):
                assert isinstance(answer, TargetStanding), answer
                assert answer.error == ""

    def steer(self, action: str, name: str) -> None:
        """Each of these payments by itself."""
        with self.system.client() as client:
            for payment_id in self.ids(name):
                steer(client, action, payment_id, **BY)

    def clear(self, payment_ids: list[str]) -> None:
        """A person finds nothing against them; what AML says of it reaches whoever keeps it for later."""
        before = self.number_kept()
        for payment_id in payment_ids:
            ((case_id,),) = self.system.rows("SELECT case_id FROM aml_cases WHERE payment_id = ?", payment_id)
            assert self.system.run("review", "clear", case_id, "--reason", "another one").status == 0
        eventually(lambda: self.number_kept() == before + len(payment_ids), PATIENCE_S)

    def number_kept(self) -> int:
        """How many messages wait for the payments that are paused one by one, of either flow."""
        ids = self.ids("single")
        marks = ", ".join("?" * len(ids))
        kept = (f"parked WHERE conversation IN ({marks})", f"saga_inbox WHERE payment_id IN ({marks})")
        return sum(self.system.number(f"SELECT count(*) FROM {where}", *ids) for where in kept)

    def approve(self, by: str) -> None:
        """One person's yes to what waits for two."""
        (payment_id,) = self.ids("large")
        done = self.system.run("approvals", "approve", payment_id, "--by", by, "--reason", "seen")
        assert done.status == 0, done.err

    def tell_job(self, command: type[Any]) -> None:
        """Ada pauses the job, or lets it go on."""
        with self.system.client() as client:
            say(client, command(job_id=self.job_id, **BY))

    @property
    def job_id(self) -> str:
        """The one job that there is."""
        (job_id,) = {row[0] for row in self.system.rows("SELECT job_id FROM operation_jobs")}
        return str(job_id)

    def job_states(self) -> set[str]:
        """Its state in the cells that have some of it."""
        return {row[0] for row in self.system.rows("SELECT state FROM operation_jobs WHERE items > 0")}

    # What must be so all the time

    def known(self) -> bool:
        """Whether the pauses stand where they matter: those of payments in all cells, or in the one that has all."""
        targets = {("service", "aml"), ("rail", "rail")}
        payments = {("payment", payment_id) for payment_id in self.ids("single")}
        stores = [str(path.relative_to(self.system.data)) for path in self.system.data.glob("cells/*/store.db")]
        pauses = [set(self.system.rows("SELECT kind, name FROM pauses", of=store)) for store in stores]
        everywhere = targets | payments if self.system.topology == "isolated" else targets
        return all(everywhere <= cell for cell in pauses) and payments <= set[Any]().union(*pauses)

    def stands(self, job: str) -> None:
        """Nothing that is held back has moved, and every cell knows of it that has to."""
        assert self.known()
        instructed = {row[0] for row in self.system.rows("SELECT payment_id FROM executions")}
        assert not instructed & set(self.ids("single")), "they are cleared, but paused"
        assert self.statuses("large") == {"held"}
        assert self.statuses("rail") == {"executing"}
        assert self.statuses("service") <= {"received", "debiting", "screening"}
        assert self.system.rows("SELECT status FROM approvals WHERE amount > 0") == [("open",)]
        assert self.system.rows("SELECT said_by FROM approval_words") == [("Ada",)]
        assert self.system.journal() == {}, "the bank has been told"
        assert self.job_states() == {job}


def whole(system: Installation) -> bool:
    """Whether every process is ready, as far as it can be asked."""
    try:
        return system.is_whole()
    except (NoAnswer, NotRunning):
        return False


def held_back(system: Installation, folder: Path) -> Standing:
    """Everything that people can hold back, at once."""
    standing = Standing(system, folder)
    open_accounts(system)
    standing.order("single", 4, DOUBTFUL)
    standing.order("lot", LOT, DOUBTFUL)
    standing.order("large", 1, amount="10000.01", workflow="guarded")
    for name in ("single", "lot", "large"):
        standing.until(name, "held")
    standing.steer("pause", "single")
    standing.clear(standing.ids("single")[:2])
    standing.approve("Ada")
    standing.tell_all(PauseTarget(kind="rail", name="rail", service="execution", **BY))
    standing.order("rail", 8)
    standing.until("rail", "executing")
    standing.tell_all(PauseTarget(kind="service", name="aml", **BY))
    eventually(standing.known, PATIENCE_S)
    standing.order("service", 8)
    where = ("--where", 'status=held and text~"lot of lot"')
    standing.job = system.begin("pause", *where, "--reason", "a look", "--by", "Ada", "--yes", "--json")
    eventually(lambda: system.number("SELECT sum(done) FROM operation_jobs") >= 2, PATIENCE_S)
    return standing


@pytest.mark.parametrize("topology", CELLS)
def test_what_people_hold_back_outlives_every_cell_and_all_ends_well(tmp_path: Path, topology: str) -> None:
    """Payments, a service, the rail paused, an approval open, a job running or paused: nothing lost or paid twice."""
    with Installation(tmp_path / "data", SLOW, topology=topology) as system:
        standing = held_back(system, tmp_path)
        assert standing.job is not None
        for turn, name in enumerate(CELLS[topology]):
            if turn:
                standing.tell_job(PauseJob if turn % 2 else ResumeJob)
            job = "paused" if turn % 2 else "running"
            standing.stands(job)
            killed = system.kill(name)
            eventually(lambda: system.pids().get(name, killed.pid) != killed.pid and whole(system), PATIENCE_S)  # noqa: B023
            standing.stands(job)
        system.stop(now=True)
        system.settings |= FAST
        system.start()
        standing.stands("paused")
        standing.tell_job(ResumeJob)
        done = end(standing.job, PATIENCE_S)
        assert done.status == 0, done.err
        assert (done.json["done"], done.json["payments"]) == (LOT, LOT)
        standing.approve("Bob")
        standing.tell_all(ResumeTarget(kind="service", name="aml", by="Ada"))
        standing.tell_all(ResumeTarget(kind="rail", name="rail", by="Ada"))
        standing.clear(standing.ids("single")[2:])
        instructed = {row[0] for row in system.rows("SELECT payment_id FROM executions")}
        assert not instructed & set(standing.ids("single")), "they were paused before all of the kills"
        standing.steer("resume", "single")
        for name in ("single", "large", "rail", "service"):
            standing.until(name, "completed")
        resumed = system.run("resume", "--where", "paused=yes", "--reason", "seen", "--by", "Ada", "--yes", "--json")
        assert (resumed.status, resumed.json["done"]) == (0, LOT), resumed.err
        assert standing.statuses("lot") == {"held"}
        paid = {name for each in ("single", "large", "rail", "service") for name in standing.ids(each)}
        assert {name: said for name, (said, _) in system.journal().items()} == dict.fromkeys(paid, "executed")
        assert system.violations() == []
