"""A message that ends the process which handles it is found out and put away; the innocent go on."""

from __future__ import annotations

from pathlib import Path

from tests.fakes import poison
from tests.fakes.installation import Installation, OrderFile, by_key, end, open_accounts
from tests.fakes.running import eventually

DEADLY = {  # remittance: creditor's account, type of the dead letter, status
    poison.SUBMIT: ("TEST-OK", "SubmitPayment", None),
    poison.START: ("TEST-OK", "StartPayment", None),
    poison.ANSWER: ("TEST-LATE-0.2", "RailAnswered", "needs_attention"),
    poison.TICK: ("TEST-SILENT", "QueryDue", "needs_attention"),
}
SETTINGS = {
    "runtime.suspect_limit": "1",
    "supervision.intensity": "60",
    "supervision.backoff_maximum_seconds": "0.1",
    "execution.query_after_seconds": "1",
}


def test_what_ends_the_process_is_put_away_wherever_it_comes_from(tmp_path: Path) -> None:
    """A client, another cell, a worker, a timer: each may bring it, and no other payment suffers."""
    orders = OrderFile.write(tmp_path / "orders.csv", 200, special=False)
    header, *lines = orders.path.read_text().splitlines()
    lines[100:100] = [
        # Key and debtor live in different cells, so that StartPayment comes over a link.
        f"{remittance},{_debtor_far_from(remittance)},Poison Payee,{account},1.00,EUR,,,choreographed,{remittance}"
        for remittance, (account, _, _) in DEADLY.items()
    ]
    orders.path.write_text("\n".join([f"{header},remittance", *(line + "," * (9 - line.count(",")) for line in lines)]))
    with Installation(tmp_path / "data", SETTINGS, core_factory="tests.fakes.poison:build_cell") as system:
        open_accounts(system)
        done = end(system.begin("submit", str(orders.path), "--json"), 90)
        assert [(refused["line"], refused["error"]) for refused in done.json["refused"]] == [
            (102, "it ended the process, again and again")
        ], done.err
        guilty = {kind for _, kind, _ in DEADLY.values()}
        eventually(lambda: {row[0] for row in system.rows("SELECT type FROM dead_letters")} == guilty, 90)
        eventually(lambda: system.statuses()["completed"] == 200, 30)
        found = by_key(system)
        assert {key: found[key] for key in orders.by_key} == orders.by_key
        eventually(lambda: by_key(system)[poison.TICK] == by_key(system)[poison.ANSWER] == "needs_attention")
        assert system.violations() == []


def _debtor_far_from(key: str) -> str:
    from actors.store.placement import spread
    from actors.vocabulary.slots import slot_of

    def cell(text: str) -> int:
        return int(spread(2).cell_for("disbursement", slot_of(text))[-1])

    return next(account for account in (f"ACC-{number}" for number in range(12)) if cell(account) != cell(key))
