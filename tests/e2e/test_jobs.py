"""A job over many payments, with real processes and real kills: each item once, and the command sees it through."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes.installation import ACCOUNTS, Installation, end, open_accounts
from tests.fakes.running import eventually

NUMBER = 120
DONE = "SELECT coalesce(sum(done), 0) FROM operation_jobs"
HEADER = "idempotency_key,debtor_account,creditor_name,creditor_account,amount,currency\n"


@pytest.mark.parametrize("topology", ["partitioned", "isolated"])
def test_a_job_is_carried_out_once_though_its_cell_is_killed(tmp_path: Path, topology: str) -> None:
    """The command that waits for it, and each payment's timeline, tell the same."""
    orders = tmp_path / "held.csv"
    lines = (f"K{number},{ACCOUNTS[number % 7]},V. Blockov,TEST-OK,1.00,EUR\n" for number in range(NUMBER))
    orders.write_text(HEADER + "".join(lines))
    with Installation(tmp_path / "data", {"operators.items_per_second": "20"}, topology=topology) as system:
        open_accounts(system)
        system.run("submit", str(orders), "--wait")
        eventually(lambda: system.statuses()["held"] == NUMBER, 60)
        command = system.begin("cancel", "--where", "status=held", "--reason", "twice", "--yes", "--json")
        for done in (5, NUMBER // 2):
            eventually(lambda: system.number(DONE) >= done, 60)  # noqa: B023 -- at once
            killed = system.kill("tracker" if topology == "isolated" else "cell-0")
            eventually(lambda: system.pids().get(killed.name, killed.pid) != killed.pid and system.is_whole(), 30)  # noqa: B023
        said = end(command, 120)
        assert said.status == 0, said.err
        assert (said.json["done"], said.json["payments"]) == (NUMBER, NUMBER)
        assert system.statuses() == {"cancelled": NUMBER}
        payment = json.loads(system.run("payment", said.json["results"][0]["payment_id"], "--json").out)
        asked = [each for each in payment["timeline"] if each["type"] == "CancelPayment"]
        assert [(each["kind"], each["data"]["reason"], each["data"]["job_id"]) for each in asked] == [
            ("operator", "twice", said.json["job_id"])
        ]
        assert system.violations() == []
