"""Many at once, with real processes: clients that submit one file, and watchlists that change while payments run."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from pathlib import Path

from tests.fakes.installation import ACCOUNTS, HEADER, Done, Installation, OrderFile, agree, end, open_accounts
from tests.fakes.running import eventually

CLIENTS = 5
LINES = 100
SWAPPED = int(os.environ.get("PAYSAGA_SWAP_LINES", "1600"))  # 40000 is the long version

ALWAYS, FIRST, SECOND, NEVER = "Always Listed", "Firstly Named", "Secondly Spelt", "Ann Example"
WATCHLIST = "entry_id,name,aliases,kind,country,date_of_birth,programme\n"
DEBTORS = len(ACCOUNTS)
QUICK_DOUBT = {
    "execution.query_after_seconds": "1",
    "execution.query_every_seconds": "1",
    "execution.doubt_after_seconds": "3",
}


def test_many_clients_that_submit_one_file_at_once_pay_it_once(tmp_path: Path) -> None:
    """Two people who don't know of each other, a scheduler that starts twice: each key is one payment."""
    orders = OrderFile.write(tmp_path / "orders.csv", LINES)
    with Installation(tmp_path / "data", QUICK_DOUBT) as system:
        open_accounts(system)
        submits = [system.begin("submit", str(orders.path), "--json") for _ in range(CLIENTS)]
        said = [end(submit, 120).json for submit in submits]
        assert [each["refused"] for each in said] == [[]] * CLIENTS
        assert sum(each["accepted"] for each in said) == LINES, "each order is new to exactly one of them"
        assert sum(each["duplicates"] for each in said) == LINES * (CLIENTS - 1)
        agree(system, orders)


def test_of_two_files_that_use_a_key_for_different_orders_one_gets_it(tmp_path: Path) -> None:
    """Whoever comes second hears of the conflict for each line, and nothing of theirs is paid."""
    paths = []
    for amount in (1, 2):
        paths.append(tmp_path / f"orders-{amount}.csv")
        lines = (f"K-{n},{ACCOUNTS[n % DEBTORS]},{NEVER},TEST-OK,{amount}.00,EUR,,,\n" for n in range(100))
        paths[-1].write_text(HEADER + "".join(lines))
    with Installation(tmp_path / "data") as system:
        open_accounts(system)
        submits = [system.begin("submit", str(path), "--json") for path in paths]
        said = [end(submit, 120).json for submit in submits]
        accepted = [each["accepted"] for each in said]
        assert sum(accepted) == 100
        assert [len(each["refused"]) for each in said] == [accepted[1], accepted[0]]
        assert {refused["error"].split()[0] for each in said for refused in each["refused"]} <= {"idempotency_key"}
        eventually(lambda: system.statuses() == {"completed": 100}, 30)
        paid = system.number("SELECT sum(amount) FROM instructions", of="rail/*.db")
        assert paid == 100 * accepted[0] + 200 * accepted[1]
        assert system.violations() == []


def test_watchlists_that_change_under_load_leave_no_payment_undecided(tmp_path: Path) -> None:
    """A name on every list is never paid, one on none always, and one on some lists by the list of its moment."""
    lists = []
    for number, names in enumerate(((ALWAYS, FIRST), (ALWAYS, SECOND))):
        folder = tmp_path / f"version-{number}"
        folder.mkdir()
        lists.append(folder / "ours.csv")
        lists[-1].write_text(WATCHLIST + "".join(f"{at},{name},,person,,,X\n" for at, name in enumerate(names)))
    names = (ALWAYS, FIRST, SECOND, NEVER)
    orders = tmp_path / "orders.csv"
    flows = ("orchestrated", "choreographed")
    lines = (
        f"K-{n},{ACCOUNTS[n % DEBTORS]},{names[n % 4]},TEST-OK,1.00,EUR,,,{flows[n // 4 % 2]}\n" for n in range(SWAPPED)
    )
    orders.write_text(HEADER + "".join(lines))
    with Installation(tmp_path / "data") as system:
        open_accounts(system)
        assert load(system, lists[0]).status == 0
        submit = system.begin("submit", str(orders), "--wait", "--timeout", "300", "--json")
        loads = 0
        for path in itertools.cycle(lists[::-1]):
            both = [system.begin("lists", "load", str(path), "--json") for _ in range(2)]  # of the same one at once
            for done in map(end, both):
                assert done.status == 0, done.err
            loads += 2
            if submit.poll() is not None and loads >= 4:
                break
        done = end(submit, 300)
        assert done.status == 3, done.err  # some are rejected
        found: dict[str, Counter[str]] = {name: Counter() for name in names}
        statuses = dict(system.rows("SELECT payment_id, status FROM tracker_payments"))
        for key, payment_id in system.rows("SELECT idempotency_key, payment_id FROM claims"):
            found[names[int(key.removeprefix("K-")) % 4]][statuses[payment_id]] += 1
        assert found[ALWAYS] == {"rejected": SWAPPED // 4}
        assert found[NEVER] == {"completed": SWAPPED // 4}
        for name in (FIRST, SECOND):
            assert set(found[name]) <= {"completed", "rejected"}
            assert found[name].total() == SWAPPED // 4
        print(f"{SWAPPED} payments, {loads} loads: {dict(found)}")
        in_force = system.rows("SELECT version FROM aml_lists WHERE name = 'ours'")
        assert len(in_force) == 2
        assert len(set(in_force)) == 1, "every cell screens by the same list in the end"
        assert system.violations() == []


def load(system: Installation, path: Path) -> Done:
    """Put a watchlist in force."""
    return system.run("lists", "load", str(path), "--json")
