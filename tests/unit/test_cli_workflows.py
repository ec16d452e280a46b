"""The `workflow` commands as people read them: over made-up stores, without a system."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from actors import assembly
from actors.admin.needs import Need
from actors.payment import queries
from actors.payment import workflow as workflows
from actors.payment.workflow import DEBIT, EXECUTE, LIMITS, POST, SCREEN, WORKFLOWS, payment
from actors.pictures import lint
from config.settings import EMBEDDED, read_settings, write_effective
from tests.fakes.desk import Desk
from tests.fakes.stores import keep_saga, open_store

OLD, NEW = ("debit-first", 1), ("debit-first", 2)
CHECKED = payment("debit-first", version=2, steps=(DEBIT, SCREEN, LIMITS, EXECUTE, POST))
MIGRATE = ("workflow", "migrate", "--from", "debit-first@1", "--to")
NOTHING = "nothing: it can be removed once nothing new starts with it"


@pytest.fixture
def empty_desk(tmp_path: Path) -> Desk:
    """A desk over an empty data directory."""
    return Desk(tmp_path)


@pytest.fixture
def desk(empty_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Payments at different places in the stores, and a program with two versions of debit-first."""
    known = dict(WORKFLOWS) | {NEW: CHECKED}
    monkeypatch.setattr(workflows, "WORKFLOWS", known)
    monkeypatch.setattr(queries, "WORKFLOWS", known)
    assembly.offers.cache_clear()
    session = open_store(empty_desk.data)
    keep_saga(session, "P1-05", "held", "forward", 1, on=OLD, held=True)
    keep_saga(session, "P2-05", "needs_attention", "forward", 2, on=OLD, attention="no answer")
    keep_saga(session, "P3-05", "needs_attention", "halted", 2, on=OLD)
    keep_saga(session, "P4-05", "needs_attention", "completed", 4, on=OLD)  # its return is in suspense
    keep_saga(session, "P5-05", "completed", "completed", 4, on=("screen-first", 1))
    keep_saga(session, "P6-05", "held", "forward", 1, on=("gone", 7), held=True)
    session.commit()
    session.close()
    yield empty_desk
    assembly.offers.cache_clear()


def configure(desk: Desk, **settings: str) -> None:
    """As if a system had been started in the directory, with these settings of `disbursement`."""
    overrides = {f"disbursement.{name}": value for name, value in settings.items()}
    write_effective(read_settings(EMBEDDED, overrides), desk.data)


def needed_by(desk: Desk) -> dict[str, str]:
    """What `workflow list` says of each version."""
    return {
        f"{each['name']}@{each['version']}" if each["version"] else each["name"]: each["why"]
        for each in desk.json("workflow", "list")["workflows"]
    }


# -- workflow list


def test_what_new_payments_get_is_never_said_to_be_removable(desk: Desk) -> None:
    """Whoever takes it out of the code has a system that refuses its own settings."""
    configure(desk)
    said = needed_by(desk)
    assert said["debit-first@2"] == "new payments: it is the default"
    assert said["choreographed-debit-first"] == "new payments that are choreographed: it is the default"
    assert said["refund@1"] == "new refunds"
    assert said["guarded@1"] == NOTHING
    desk.run("workflow", "list")
    assert "new payments: it is the default\n" in desk.out


def test_the_default_is_that_of_the_data_directory(desk: Desk) -> None:
    """A version may be configured by its number, and the flow too."""
    configure(desk, workflow="debit-first@1", flow="choreographed")
    said = needed_by(desk)
    assert said["debit-first@1"].startswith("new payments that are orchestrated: it is the default; 3 payments")
    assert said["choreographed-debit-first"] == "new payments: it is the default"
    assert said["debit-first@2"] == NOTHING


def test_payments_under_way_keep_a_version_and_those_that_wait_for_a_person_are_named(desk: Desk) -> None:
    """A halted payment is never over by itself, so nobody should wait for that."""
    configure(desk)
    assert needed_by(desk)["debit-first@1"] == "3 payments under way, 2 of which need attention"
    (one,) = [each for each in desk.json("workflow", "list")["workflows"] if (each["name"], each["version"]) == OLD]
    assert (one["needed_by"], one["needing_attention"], one["removable"], one["default"]) == (3, 2, False, False)


@pytest.mark.parametrize(
    ("payments", "attention", "words"),
    [
        (1, 0, "1 payment under way"),
        (1, 1, "1 payment under way, which needs attention"),
        (2, 1, "2 payments under way, 1 of which needs attention"),
        (2, 2, "2 payments under way, all of which need attention"),
        (3_000, 2_000, "3,000 payments under way, 2,000 of which need attention"),
    ],
)
def test_payments_that_need_attention_are_counted_in_words(payments: int, attention: int, words: str) -> None:
    """One is told as one."""
    assert Need(payments=payments, attention=attention).in_words == words


def test_the_last_version_of_a_name_is_kept_for_what_comes_late(desk: Desk) -> None:
    """Money comes back after weeks, and the newest version of the name takes it: with none it would lie undelivered."""
    configure(desk)
    assert needed_by(desk)["screen-first@1"] == "what comes late for 1 ended payment, as the last of its name"


def test_a_version_that_the_program_lacks_is_listed_with_who_needs_it(desk: Desk) -> None:
    """The system would not start."""
    assert needed_by(desk)["gone@7"] == "1 payment under way; this program lacks it"


def test_without_a_data_directory_nothing_is_said_of_who_needs_what(empty_desk: Desk) -> None:
    """Nobody knows, and a wrong word costs a payment."""
    assert set(needed_by(empty_desk).values()) == {""}
    assert {each["removable"] for each in empty_desk.json("workflow", "list")["workflows"]} == {None}


# -- workflow check


@pytest.mark.parametrize("name", ["debit-frist", "guarded@9"])
def test_a_mistyped_name_is_no_check_that_passes(name: str, desk: Desk) -> None:
    """A pipeline would go on for years."""
    assert desk.run("workflow", "check", name) == 1
    assert desk.err == f"paysaga: neither a payment nor this program has {name}; workflow list shows what there is\n"


def test_a_workflow_that_nobody_has_run_yet_is_said_to_be(desk: Desk) -> None:
    """Nothing could differ."""
    assert desk.run("workflow", "check", "guarded@1") == 0
    assert desk.out == "no payment runs guarded@1\n"


def test_a_journal_of_which_part_is_missing_is_called_neither_the_same_nor_different(desk: Desk) -> None:
    """These sagas have no lines in any log."""
    assert desk.run("workflow", "check", "debit-first@1") == 0
    found = desk.json("workflow", "check", "debit-first@1")
    assert (found["same"], found["replayed"], found["differences"]) == (True, [], [])
    assert {each["kind"] for each in found["not_replayed"]} == {"incomplete journal"}
    assert len(found["not_replayed"]) == 4


# -- workflow show


def test_a_workflow_is_shown_in_words_and_never_as_data(desk: Desk) -> None:
    """A payments person reads who does what, for how long, and what each reason leads to."""
    assert desk.run("workflow", "show") == 0
    for raw in ("{", "[", "'", '"', "None", "True", "policy", "_seconds"):
        assert raw not in desk.out.replace("person's", "")
    desk.run("workflow", "show", "guarded")
    table = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in desk.out.splitlines()]
    assert table[1] == ["step", "who does it", "what it asks", "how long", "on", "what happens", "undone by"]
    assert table[2] == [
        "debit-account", "ledger", "DebitAccount", "5 s, 3 tries", "AccountDebited", "on to checks", "VoidDebit"
    ]  # fmt: skip
    assert ["DebitRefused for AM04", "again after 10 min, 3 times, each wait 2 times as long; then as for any other"
            " reason"] in table  # fmt: skip
    assert ["ExecutionRejected for AC04", "ReleaseLimit, VoidDebit, then rejected"] in table
    assert ["ExecutionRejected for TM01", "again when open (02:30 to 17:00 Europe/Berlin, mon to fri but no"
            " target closing day), 2 times; then as for any other reason"] in table  # fmt: skip
    assert ["no answer", "ReleaseLimit, CloseReview, VoidDebit, then rejected"] in table


def test_a_choice_is_shown_with_its_cases_and_what_is_in_them(desk: Desk) -> None:
    """The indented step belongs to the case above it."""
    desk.run("workflow", "show", "guarded")
    lines = desk.out.splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith("large-payment"))
    assert "amount over 10000 EUR, 10000 USD, 10000 GBP, any in others?" in lines[at]
    assert lines[at + 1].strip() == "yes"
    assert lines[at + 2].startswith("    approve-payment")
    assert any(line.split() == ["no", "nothing"] for line in lines[at:])


@pytest.mark.parametrize(("name", "version"), [("debit-first", 2), ("debit-first@1", 1), ("debit-first@2", 2)])
def test_a_workflow_is_named_as_everywhere(name: str, version: int, desk: Desk) -> None:
    """A bare name is its newest version, as in `workflow diagram`."""
    (shown,) = desk.json("workflow", "show", name)["workflows"]
    assert shown["version"] == version


def test_an_unknown_version_is_told_with_the_names_there_are(desk: Desk) -> None:
    """Each of them once."""
    assert desk.run("workflow", "show", "debit-first@9") == 1
    assert desk.err.startswith("paysaga: there is no workflow debit-first@9; there are debit-first, screen-first,")


# -- workflow migrate


def test_a_preview_says_who_can_go_on_and_why_others_stay(desk: Desk) -> None:
    """By the rule that decides it then."""
    assert desk.run(*MIGRATE, "debit-first@2", "--preview") == 0
    assert desk.out.splitlines() == [
        "1 of 4 payments can go on under debit-first@2",
        "3 stay on their version",
        "payment  why it stays",
        "P2-05    has not done check-limits, which comes earlier in debit-first@2",
        "P3-05    is halted, since facts contradict each other; a person must look at it first",
        "P4-05    is completed; an ended payment needs no version",
    ]
    document = desk.json(*MIGRATE, "debit-first@2", "--preview", "--where", "status=held")
    assert (document["payments"], document["movable"], document["sample"]) == (1, 1, ["P1-05"])


def test_a_preview_of_none_says_so(desk: Desk) -> None:
    """Nought of nought is no answer."""
    assert desk.run("workflow", "migrate", "--from", "debit-first@2", "--to", "debit-first@1", "--preview") == 0
    assert desk.out == "no payment under way runs debit-first@2\n"


@pytest.mark.parametrize(
    ("line", "status", "sentence"),
    [
        (("guarded@1", "--preview"), 2, "guarded@1 is another workflow, not a version of debit-first"),
        (("debit-first@1", "--preview"), 2, "debit-first@1 is what they run; name another version with --to"),
        (("debit-first@9", "--preview"), 1, "this program has no debit-first@9; workflow list shows what it has"),
        (("debit-first", "--preview"), 2, "'debit-first' is no version of a workflow; write it as NAME@V"),
        (("debit-first@2",), 2, "give the reason with --reason TEXT"),
        (("debit-first@2", "--preview", "--where", "status=lost"), 2, "--where at 8, 'lost': status is one of"),
        (("debit-first@2", "--preview", "--where", "status=held) or (status=held"), 2, "--where at 12, ')'"),
    ],
)
def test_a_migration_that_makes_no_sense_is_refused(
    line: tuple[str, ...], status: int, sentence: str, desk: Desk
) -> None:
    """Before anything is asked of anybody; a query never reaches beyond the version that it is about."""
    assert desk.run(*MIGRATE, *line) == status
    assert desk.err.startswith(f"paysaga: {sentence}")
    assert desk.client.asked == []


# -- workflow diff


def test_a_comparison_without_differences_says_so(desk: Desk) -> None:
    """A table of equal names leaves the reader to find out."""
    assert desk.run("workflow", "diff", "debit-first@1", "debit-first@1") == 0
    assert desk.out == "debit-first@1 and debit-first@1: no difference\n"
    assert desk.json("workflow", "diff", "debit-first@1", "debit-first@1")["changed"] is False


@pytest.mark.parametrize(
    ("format", "begins"), [("mermaid", "flowchart TD"), ("svg", "<svg"), ("text", "debit-first@1")]
)
def test_two_versions_are_drawn_beside_each_other(format: str, begins: str, desk: Desk) -> None:
    """In each format on the screen, in a file, and in the document."""
    line = ("workflow", "diff", "debit-first@1", "debit-first@2", "--format", format)
    assert desk.run(*line) == 0
    assert desk.out.startswith(begins)
    assert "check-limits" in desk.out
    file = desk.data / "diff"
    assert desk.run(*line, "--output", str(file)) == 0
    assert file.read_text("utf-8").startswith(begins)
    assert desk.out == f"drew debit-first@1 and debit-first@2 into {file}\n"
    assert desk.json(*line)["changed"] is True


# -- workflow lint


def test_the_same_finding_in_several_cases_takes_one_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that only one flow has would fill a screen; `--json` has every case."""
    shipped = lint.shipped()
    changed = replace(shipped, workflows=(CHECKED, *(each for each in shipped.workflows if each.name != "debit-first")))
    monkeypatch.setattr(lint, "shipped", lambda: changed)
    assert desk.run("workflow", "lint") == 1
    (line,) = [line for line in desk.out.splitlines() if "limits is asked to do CheckLimits" in line]
    assert line.split("  ")[:2] == ["flows differ", "debit-first: everything is done"]
    assert "choreographed, it is not (and so in 8 more cases; --json has them all)" in line
    findings = desk.json("workflow", "lint")["findings"]
    assert len([each for each in findings if "limits is asked to do CheckLimits" in each["sentence"]]) == 9


def test_on_a_narrow_screen_a_workflow_is_shown_in_two_columns(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven would cut every word to pieces; what is inside of a choice stays indented."""
    monkeypatch.setattr("actors.admin.screen.PIPED_WIDTH", 100)
    desk.run("workflow", "show", "guarded")
    lines = [line.rstrip() for line in desk.out.splitlines()]
    assert lines[1].split("  ")[0] == "step, and what it may be answered"
    at = next(at for at, line in enumerate(lines) if line.startswith("    approve-payment"))
    assert lines[at].split("  ")[-1] == "approval does RequestApproval; 30 s, 3 tries; undone by"
    assert [line.split()[0] for line in lines[at + 2 : at + 6] if line.startswith("      Approval")] == [
        "ApprovalGranted", "ApprovalDenied", "ApprovalRequested", "ApprovalOverdue",
    ]  # fmt: skip
    assert not any(len(line) > 100 for line in lines)
