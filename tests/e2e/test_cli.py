"""The command line as its user has it: real processes, real files, exit statuses and JSON as documented."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "config" / "samples"
SYSTEM = [sys.executable, str(ROOT / "system.py")]
QUICK = ("execution.query_after_seconds=0.5", "execution.query_every_seconds=0.5", "execution.doubt_after_seconds=2")
PATIENCE = 60


@dataclass
class Shop:
    """A data directory with a system in it, and the command line to reach it."""

    data: Path
    cells: tuple[str, ...] = ("cell-0",)

    def run(self, *line: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            [*SYSTEM, *line],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            **more,
        )

    def json(self, *line: str) -> Any:
        """Run it with `--json`; standard output has to be one document."""
        return json.loads(self.run(*line, "--json").stdout)

    def pay(self, account: str, *more: str) -> subprocess.CompletedProcess[str]:
        """Pay 10 EUR to a creditor's account, wait, answer with JSON."""
        line = ["pay", "--debtor", "ACC-1001", "--creditor", "Annelore Beispiel", "--creditor-account", account]
        return self.run(*line, "--amount", "10", "--currency", "EUR", "--wait", "--json", *more)

    def environment(self) -> dict[str, str]:
        """Ours, with the data directory named."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PAYSAGA_")}
        return kept | {"PAYSAGA_DATA": str(self.data)}

    def payment_when(self, payment_id: str, status: str) -> dict[str, Any]:
        """The payment as soon as it has this status."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            payment: dict[str, Any] = self.json("payment", payment_id)
            if payment["status"] == status:
                return payment
        raise AssertionError(f"{payment_id} is {payment['status']}, not {status}")


CELLS = {
    "embedded": ("cell-0",),
    "partitioned": ("cell-0", "cell-1"),
    "isolated": (
        "disbursement", "ledger", "aml", "execution", "payment-0", "payment-1", "notification", "replication",
        "tracker",
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=CELLS)
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A running system with the sample accounts: the same tests hold, whatever lives where."""
    made = Shop(tmp_path_factory.mktemp("shop") / "a data directory", CELLS[request.param])
    configuration = str(ROOT / "config" / f"{request.param}.toml")
    started = made.run("start", "--config", configuration, "--set", *QUICK)
    assert started.returncode == 0, started.stderr
    assert made.run("account", "load", str(SAMPLES / "accounts.csv")).returncode == 0
    yield made
    made.run("stop", "--now")


def test_starting_what_runs_already_says_so(shop: Shop) -> None:
    """And is no error: whoever wants it running has it running."""
    again = shop.run("start")
    assert again.returncode == 0
    assert "already runs" in again.stdout


def test_settings_given_to_a_running_system_are_not_passed_over_in_silence(shop: Shop) -> None:
    """Who sets a limit and reads only that a system runs already would believe that it holds."""
    again = shop.run("start", "--set", "ledger.hold_seconds=60", QUICK[0], "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["ignored"] == ["ledger.hold_seconds (it has 604800.0)"]
    assert "not in force: ledger.hold_seconds (it has 604800.0); stop it" in again.stderr
    assert shop.run("start").stderr == ""


def test_status_shows_cells_and_payments(shop: Shop) -> None:
    """At a glance, for people and for scripts."""
    document = shop.json("status")
    assert document["state"] == "running"
    assert tuple(cell["name"] for cell in document["cells"]) == shop.cells
    for cell in document["cells"]:
        os.kill(cell["pid"], 0)
        assert {"actors", "restarts", "turns", "mailbox"} <= set(cell)
    assert "completed" in document["payments"]
    assert shop.cells[-1] in shop.run("status").stdout


@pytest.mark.parametrize("flow", ["orchestrated", "choreographed"])
@pytest.mark.parametrize(
    ("account", "exit_status", "status", "reason"),
    [
        ("DE89370400440532013000", 0, "completed", None),
        ("TEST-LOST", 0, "completed", None),
        ("TEST-REJECT-AC04", 3, "rejected", "AC04"),
        ("TEST-SILENT", 4, "needs_attention", "AB05"),
    ],
)
def test_a_payment_ends_alike_in_both_flows(
    shop: Shop, flow: str, account: str, exit_status: int, status: str, reason: str | None
) -> None:
    """The exit status says how."""
    done = shop.pay(account, "--flow", flow)
    document = json.loads(done.stdout)
    assert (done.returncode, document["status"], document["reason"]) == (exit_status, status, reason)
    assert document["flow"] == flow


def test_the_same_key_pays_once(shop: Shop) -> None:
    """And the same key for another order is refused."""
    first, second = (json.loads(shop.pay("TEST-OK", "--key", "once").stdout) for _ in range(2))
    assert (first["payment_id"], first["duplicate"], second["duplicate"]) == (second["payment_id"], False, True)
    other = shop.pay("TEST-OTHER", "--key", "once")
    assert other.returncode == 1
    assert other.stderr.startswith("paysaga: ")


def test_a_timeline_names_every_message_with_its_cause(shop: Shop) -> None:
    """Whoever asks what happened to a payment sees all of it."""
    payment_id = json.loads(shop.pay("TEST-OK").stdout)["payment_id"]
    timeline = shop.json("payment", payment_id)["timeline"]
    assert {"at", "kind", "type", "sender", "receiver", "message_id", "causation_id", "data"} == set(timeline[0])
    types = [entry["type"] for entry in timeline]
    assert types.index("DebitAccount") < types.index("AccountDebited") < types.index("DebitPosted")
    shown = shop.run("payment", payment_id)
    assert "DebitPosted" in shown.stdout
    assert "\x1b" not in shown.stdout


def test_a_wait_that_is_too_short_ends_with_4(shop: Shop) -> None:
    """The payment goes on all the same."""
    done = shop.pay("TEST-LATE-2", "--timeout", "0.2")
    assert done.returncode == 4
    shop.payment_when(json.loads(done.stdout)["payment_id"], "completed")


def test_a_file_of_orders_is_taken_line_by_line(shop: Shop, tmp_path: Path) -> None:
    """Good lines are paid, the bad one is named; the file again is all duplicates."""
    file = tmp_path / "orders.csv"
    lines = [f"file-{number},ACC-2001,Juniper Sample,TEST-OK,{number}.50,USD" for number in range(1, 4)]
    header = "idempotency_key,debtor_account,creditor_name,creditor_account,amount,currency"
    file.write_text("\n".join([header, *lines, "file-4,ACC-2001,Juniper Sample,TEST-OK,none,USD"]) + "\n")
    assert shop.run("submit", str(file), "--check").returncode == 1
    first = shop.run("submit", str(file), "--wait", "--json")
    document = json.loads(first.stdout)
    assert first.returncode == 1
    assert (document["accepted"], document["sums"], document["by_status"]) == (3, {"USD": "7.50"}, {"completed": 3})
    assert [line["line"] for line in document["refused"]] == [5]
    assert "line 5: " in first.stderr
    assert shop.json("submit", str(file))["duplicates"] == 3
    batch = shop.json("batch", "show", document["batch_id"])
    assert batch["by_status"] == [{"currency": "USD", "status": "completed", "payments": 3, "amount": "7.50"}]
    assert len(shop.json("payments", "--batch", document["batch_id"])["payments"]) == 3


def test_accounts_show_their_balances(shop: Shop) -> None:
    """Opened, filled, emptied by payments, closed only when empty."""
    assert shop.run("account", "open", "ACC-E2E", "--currency", "EUR", "--deposit", "20").returncode == 0
    assert shop.run("account", "deposit", "ACC-E2E", "5.50").returncode == 0
    document = shop.json("account", "show", "ACC-E2E")
    assert (document["posted"], document["pending"], document["available"]) == ("25.50", "0.00", "25.50")
    assert len(document["postings"]) == 2
    refused = shop.run("account", "close", "ACC-E2E")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "ACC-E2E" in shop.run("account", "list").stdout


def test_a_held_payment_is_cleared_blocked_or_cancelled(shop: Shop) -> None:
    """A person decides; the payment goes on from there."""
    for act, ends in (("clear", "completed"), ("block", "rejected"), ("cancel", "cancelled")):
        held = json.loads(shop.pay("TEST-OK", "--creditor", "V. Blockov").stdout)
        assert held["status"] == "held"
        payment_id = held["payment_id"]
        if act == "cancel":
            assert shop.run("cancel", payment_id, "--reason", "a mistake").returncode == 0
        else:
            cases = shop.json("review", "list")["reviews"]
            (case,) = [case["case_id"] for case in cases if case["payment_id"] == payment_id]
            assert shop.run("review", act, case, "--reason", "looked at it").returncode == 0
        shop.payment_when(payment_id, ends)


def test_a_payment_at_the_bank_is_not_cancelled_and_one_in_doubt_is_settled(shop: Shop) -> None:
    """Doubt begins with the hand-over; a person's evidence ends it."""
    payment_id = json.loads(shop.pay("TEST-SILENT", "--timeout", "0.2").stdout)["payment_id"]
    refused = shop.run("cancel", payment_id, "--reason", "too late")
    assert refused.returncode == 1
    assert "already at the bank" in refused.stderr
    shop.payment_when(payment_id, "needs_attention")
    assert shop.run("settle", payment_id, "--not-executed", "--reason", "the bank says so").returncode == 0
    shop.payment_when(payment_id, "rejected")


@pytest.mark.parametrize("flow", ["orchestrated", "choreographed"])
def test_a_payment_is_refunded_in_parts(shop: Shop, flow: str) -> None:
    """The refund names its payment, the payment its refunds; more than is left is rejected with exit status 3."""
    payment_id = json.loads(shop.pay("TEST-OK").stdout)["payment_id"]
    line = ("refund", payment_id, "--reason", "it came back", "--flow", flow, "--wait", "--json")
    part = shop.run(*line, "--amount", "4", "--key", f"part-{flow}")
    refund = json.loads(part.stdout)
    assert (part.returncode, refund["status"], refund["refund_of"]) == (0, "completed", payment_id)
    assert json.loads(shop.run(*line, "--amount", "4", "--key", f"part-{flow}").stdout)["duplicate"] is True
    assert shop.run(*line).returncode == 3
    found = [(each["amount"], each["status"]) for each in shop.json("payment", payment_id)["refunds"]]
    assert found == [("4.00", "completed"), ("10.00", "rejected")]


@pytest.mark.parametrize("flow", ["orchestrated", "choreographed"])
def test_a_large_refund_waits_for_two_people_and_its_path_says_so(shop: Shop, flow: str) -> None:
    """Whatever lives where: the question, both words, and the money that goes back after them."""
    pay = ("pay", "--debtor", "ACC-1001", "--creditor", "Annelore Beispiel", "--creditor-account", "TEST-OK")
    paid = json.loads(shop.run(*pay, "--amount", "600", "--currency", "EUR", "--wait", "--json").stdout)["payment_id"]
    asked = shop.run("refund", paid, "--reason", "cancelled order", "--flow", flow, "--wait", "--json")
    refund_id = json.loads(asked.stdout)["payment_id"]
    assert (asked.returncode, json.loads(asked.stdout)["status"]) == (4, "held")
    for name in ("Ada", "Bob"):
        assert shop.run("approvals", "approve", refund_id, "--by", name, "--reason", "seen").returncode == 0
    shop.payment_when(refund_id, "completed")
    path = shop.run("diagram", refund_id).stdout
    assert "RequestApproval" in path
    assert [line.split("  ")[-1] for line in path.splitlines() if "DecideApproval" in line] == [
        "DecideApproval yes, Ada: seen",
        "DecideApproval yes, Bob: seen",
    ]


def test_a_list_is_swapped_in_while_running(shop: Shop, tmp_path: Path) -> None:
    """The next payment is screened against it."""
    file = tmp_path / "extra.csv"
    file.write_text("entry_id,name\nX-1,Ottokar Extramuster\n")
    loaded = shop.json("lists", "load", str(file))
    assert loaded["entries"] == 1
    assert "extra" in shop.run("lists", "list").stdout
    done = shop.pay("TEST-OK", "--creditor", "Ottokar Extramuster")
    assert json.loads(done.stdout)["reason"] == "RR04"


def test_a_killed_actor_and_a_killed_cell_come_back(shop: Shop) -> None:
    """A drill loses nothing."""
    assert shop.run("kill", "ledger").returncode == 0
    assert shop.pay("TEST-OK").returncode == 0
    assert shop.run("kill", shop.cells[-1]).returncode == 0
    assert shop.pay("TEST-OK").returncode == 0
    assert shop.json("status")["cells"][-1]["restarts"] >= 1


def test_the_directory_and_the_workflows_are_shown(shop: Shop) -> None:
    """Who hears what, and in which order things happen."""
    assert "PaymentInitiated" in shop.run("directory").stdout
    assert "debit-first" in shop.run("workflow", "list").stdout


def test_everything_holds(shop: Shop) -> None:
    """After all that went before."""
    done = shop.run("verify", "--json")
    document = json.loads(done.stdout)
    assert document["violations"] == []
    assert (done.returncode, document["ok"]) == (0, True)
    assert all(check["ok"] for check in document["checks"])


def test_a_reader_who_leaves_early_is_no_error_of_ours(shop: Shop) -> None:
    """`payments | head -1` prints one line and no trace."""
    command = f"'{sys.executable}' '{ROOT / 'system.py'}' payments | head -1"
    done = subprocess.run(
        command, shell=True, env=shop.environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_ctrl_c_while_waiting_says_what_stands(shop: Shop) -> None:
    """One line, 130, and the key to repeat the order with."""
    line = ["pay", "--debtor", "ACC-1001", "--creditor", "Somebody", "--creditor-account", "TEST-LATE-5"]
    waiting = subprocess.Popen(
        [*SYSTEM, *line, "--amount", "1", "--currency", "EUR", "--key", "patience", "--wait"],
        env=shop.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + PATIENCE
    while not shop.json("payments", "--search", "patience")["payments"]:
        assert time.monotonic() < deadline
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=PATIENCE)
    assert (waiting.returncode, out) == (130, "")
    assert err.count("\n") == 1
    assert "--key patience" in err


def test_in_the_foreground_it_stays_until_sigterm(tmp_path: Path) -> None:
    """As a service manager wants it."""
    own = Shop(tmp_path / "own")
    line = [*SYSTEM, "start", "--foreground", "--json"]
    staying = subprocess.Popen(line, env=own.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + PATIENCE
        while own.run("status").returncode != 0:
            assert time.monotonic() < deadline
            assert staying.poll() is None
        staying.send_signal(signal.SIGTERM)
        out, err = staying.communicate(timeout=PATIENCE)
        assert staying.returncode == 0
        assert json.loads(out)["state"] == "running"
        assert err == "stopped\n"
        assert own.json("status")["state"] == "stopped"
    finally:
        staying.kill()
        own.run("stop", "--now")


def test_another_number_of_cells_is_refused_with_a_sentence(tmp_path: Path) -> None:
    """Slots are never guessed; what was accepted stays where it is, and the old number starts again."""
    own = Shop(tmp_path / "own")
    try:
        assert own.run("start").returncode == 0
        assert own.run("stop").returncode == 0
        refused = own.run("start", "--set", "topology.cells=2")
        assert refused.returncode == 1
        assert refused.stderr.count("\n") == 1
        assert "topology.cells = 1" in refused.stderr
        assert own.run("start").returncode == 0
    finally:
        own.run("stop", "--now")


def test_the_demo_ends_well() -> None:
    """Every outcome in both flows, and everything holds."""
    done = subprocess.run([*SYSTEM, "demo", "--json"], capture_output=True, text=True, timeout=PATIENCE, check=False)
    document = json.loads(done.stdout)
    assert done.returncode == 0, document
    assert {payment["status"] for payment in document["payments"]} == {
        "completed", "rejected", "cancelled", "returned", "needs_attention",
    }  # fmt: skip
