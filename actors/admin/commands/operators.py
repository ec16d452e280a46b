"""What a person decides: watchlists, held beneficiaries, dead letters."""

from __future__ import annotations

import argparse
import hashlib
import shutil
from pathlib import Path
from typing import Any, Final

from actors.admin import arguments as kinds
from actors.admin.command import DONE, Command, CommandFailed, Invocation, error_of
from actors.vocabulary.counts import counted

_FORMATS: Final = ("simple", "sdn", "un")
_LOAD_SECONDS: Final = 120.0
_LETTER: Final = ("id", "at", "type", "actor", "payment_id", "attempts", "cause")
_BESIDE: Final = ("alt.csv", "ALT.CSV")  # the Treasury's aliases, next to its sdn.csv


def load_list(invocation: Invocation) -> int:
    """Swap a watchlist in, in every cell, while the system runs."""
    from actors.aml.messages import LoadWatchlist, WatchlistLoaded
    from actors.aml.watchlist import read_watchlist

    given = invocation.arguments
    watchlist = read_watchlist(given.file, given.format, given.name)
    with invocation.system() as client:
        copy = keep_copy(invocation.data, given.file, watchlist.name)
        message = LoadWatchlist(name=watchlist.name, path=str(copy), source=given.file.name, format=given.format)
        replies = client.broadcast(message, "aml", _LOAD_SECONDS)
    for reply in replies:
        if not isinstance(reply, WatchlistLoaded):
            raise CommandFailed(error_of(reply))
    loaded = replies[0]
    document = {"name": loaded.name, "version": loaded.version, "entries": loaded.entries}
    invocation.screen.show(
        document,
        lambda _: invocation.screen.say(
            f"{loaded.name} is in force: {counted(loaded.entries, 'entry', 'entries')}, version {loaded.version}"
        ),
    )
    return DONE


def list_lists(invocation: Invocation) -> int:
    """Watchlists in force."""
    with invocation.reading() as reading:
        lists = reading.watchlists()
    rows = [(each["name"], each["source"], each["version"], each["entries"]) for each in lists]
    invocation.screen.show(
        {"watchlists": lists},
        lambda _: invocation.screen.table(
            ("list", "source", "version", ">entries"), rows, empty="no watchlist is in force"
        ),
    )
    return DONE


def list_reviews(invocation: Invocation) -> int:
    """Held beneficiaries that wait for a decision."""
    from actors.admin.tables import moment

    with invocation.reading() as reading:
        cases = reading.reviews()
    columns = ("case", "payment", "name", "born", "country", ">score", "hits", "opened", "due")
    rows = [
        (
            case["case_id"],
            case["payment_id"],
            case["name"],
            case["date_of_birth"],
            case["country"],
            case["score"],
            case["hits"],
            moment(case["opened_at"]),
            "overdue" if case["overdue"] else moment(case["due_at"]),
        )
        for case in cases
    ]
    invocation.screen.show(
        {"reviews": cases}, lambda _: invocation.screen.table(columns, rows, empty="no beneficiary is held")
    )
    return DONE


def clear_review(invocation: Invocation) -> int:
    """Decide that the beneficiary may be paid."""
    return _decide(invocation, "clear")


def block_review(invocation: Invocation) -> int:
    """Decide that the beneficiary may not be paid."""
    return _decide(invocation, "block")


def list_dead_letters(invocation: Invocation) -> int:
    """Messages that no handler could take, by their cause, and each of them."""
    from actors.admin.tables import moment
    from actors.runtime.queries import by_cause

    limit, screen = invocation.arguments.limit, invocation.screen
    with invocation.reading() as reading:
        letters = reading.dead_letters()
    groups = by_cause(letters)
    shown = letters[:limit]

    def render(_: dict[str, Any]) -> None:
        screen.table(
            (">letters", "cause", "first", "last", "for example", "what it said"),
            [
                (
                    group["count"],
                    group["cause"],
                    moment(group["first_at"]),
                    moment(group["last_at"]),
                    group["sample"]["id"],
                    group["sample"]["cause"],
                )
                for group in groups
            ],
            empty="there are no dead letters",
        )
        if shown:
            screen.say("")
            columns = ("dead letter", "since", "type", "for", "payment", ">attempts", "cause")
            screen.table(columns, [tuple(letter[name] for name in _LETTER) for letter in shown])

    screen.show({"groups": groups, "number": len(letters), "dead_letters": shown}, render)
    if len(shown) < len(letters):
        screen.note(f"the oldest {limit} of {counted(len(letters), 'letter')}; --limit N shows more")
    return DONE


def retry_dead_letters(invocation: Invocation) -> int:
    """Have dead letters delivered again, at a bounded pace; those that fail again come back."""
    from actors.messaging.system_messages import RetryDeadLetters

    given = invocation.arguments
    if sum((bool(given.id), given.cause is not None, given.all)) != 1:
        raise CommandFailed("name one dead letter, or give --cause TEXT, or --all", 2)
    command = RetryDeadLetters(ids=(given.id,) if given.id else (), cause=given.cause or "")
    count, waiting, silent = _to_dead_letters(invocation, command)
    if not count and not given.all and not silent:
        what = f"dead letter {given.id}" if given.id else "dead letter of that cause"
        raise CommandFailed(f"there is no {what} that does not wait already; see dead-letters list")
    more = f"; {waiting:,} wait and follow by themselves" if waiting else ""
    invocation.screen.show(
        {"retried": count, "waiting": waiting},
        lambda _: invocation.screen.say(f"{count:,} delivered again{more}"),
    )
    if silent:
        raise CommandFailed(f"{silent}; what other cells have taken up goes on")
    return DONE


def drop_dead_letter(invocation: Invocation) -> int:
    """Give a dead letter up."""
    from actors.messaging.system_messages import DropDeadLetter

    given = invocation.arguments
    count, _, silent = _to_dead_letters(invocation, DropDeadLetter(id=given.id, reason=given.reason))
    if not count and silent:
        raise CommandFailed(silent)
    if not count:
        raise CommandFailed(f"there is no dead letter {given.id}; see dead-letters list")
    invocation.screen.show({"dropped": count}, lambda _: invocation.screen.say(f"{given.id} is dropped"))
    return DONE


def keep_copy(data: Path, file: Path, name: str) -> Path:
    """A copy of the list in the data directory, so that a restart has it; its own directory for each content."""
    content = hashlib.sha256(file.read_bytes())
    beside = [path for path in (file.with_name(other) for other in _BESIDE) if path.is_file() and path != file]
    for path in beside:
        content.update(path.read_bytes())
    directory = data / "watchlists" / f"{_plain(name)}-{content.hexdigest()[:12]}"
    for made in (directory.parent, directory):
        made.mkdir(mode=0o700, exist_ok=True)
    for path in (file, *beside):
        shutil.copy2(path, directory / path.name)  # with its date, which is the list's version
        (directory / path.name).chmod(0o600)
    return directory / file.name


def _decide(invocation: Invocation, decision: str) -> int:
    from actors.admin.reading import slot_of_id
    from actors.aml.messages import DecideReview, ReviewDecided
    from actors.messaging.envelope import OPERATOR

    given = invocation.arguments
    slot = slot_of_id(given.case_id, "case")
    with invocation.reading() as reading:
        payment_id = reading.payment_of_case(given.case_id) or ""
    command = DecideReview(case_id=given.case_id, decision=decision, reason=given.reason, payment_id=payment_id)
    with invocation.system() as client:
        reply = client.request(command, "aml", slot, kind=OPERATOR)
    if not isinstance(reply, ReviewDecided):
        raise CommandFailed(error_of(reply))
    document = {"case_id": reply.case_id, "payment_id": reply.payment_id, "decision": reply.decision}
    invocation.screen.show(
        document, lambda _: invocation.screen.say(f"{reply.case_id}: {reply.decision}; payment {reply.payment_id}")
    )
    return DONE


def _to_dead_letters(invocation: Invocation, command: Any) -> tuple[int, int, str]:
    """Tell every cell: how many letters it concerned, how many of them wait, and why a cell gave no answer (or "")."""
    from actors.gateway.client import NoAnswer
    from actors.messaging.envelope import OPERATOR
    from actors.messaging.system_messages import DeadLettersDone

    silent = ""
    with invocation.system() as client:
        try:
            replies = client.broadcast(command, "dead-letters", kind=OPERATOR)
        except NoAnswer as error:
            replies, silent = error.partial, str(error)
    done = [reply for reply in replies if isinstance(reply, DeadLettersDone)]
    return sum(reply.count for reply in done), sum(reply.waiting for reply in done), silent


def _plain(name: str) -> str:
    return "".join(char if char.isalnum() or char in "-_" else "-" for char in name)[:40] or "list"


def _load_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=kinds.file)
    parser.add_argument("--format", choices=_FORMATS, help="default: what the file's beginning shows")
    parser.add_argument("--name", metavar="NAME", help="the list it replaces (default: the file's name)")


def _reason_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reason", type=kinds.reason, metavar="TEXT", required=True, help="why; it is kept in the timeline"
    )


def _decision_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("case_id", metavar="CASE", type=kinds.case_id)
    _reason_argument(parser)


def _retry_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", nargs="?", type=kinds.dead_letter_id)
    parser.add_argument("--cause", metavar="TEXT", help="all of one cause, as dead-letters list shows it")
    parser.add_argument("--all", action="store_true", help="all of them")


def _letters_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=kinds.count, default=100, metavar="N", help="at most so many letters (100)")


def _drop_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", type=kinds.dead_letter_id)
    _reason_argument(parser)


COMMANDS = (
    Command(
        name="lists load",
        help="put a watchlist in force, in place of the one of that name",
        details="Formats: simple (CSV with a header), sdn (the US Treasury's), un (the Security Council's XML).",
        arguments=_load_arguments,
        run=load_list,
    ),
    Command(name="lists list", help="watchlists in force: source, version, entries", run=list_lists),
    Command(
        name="review list",
        help="held beneficiaries that wait for a decision",
        run=list_reviews,
    ),
    Command(
        name="review clear",
        help="the beneficiary may be paid",
        arguments=_decision_arguments,
        run=clear_review,
    ),
    Command(
        name="review block",
        help="the beneficiary may not be paid",
        arguments=_decision_arguments,
        run=block_review,
    ),
    Command(
        name="dead-letters list",
        help="messages that no handler could take, by cause",
        arguments=_letters_arguments,
        run=list_dead_letters,
    ),
    Command(
        name="dead-letters retry",
        help="deliver them again: one, all of a cause, or all",
        details="They go at the pace that runtime.retry_rate allows each service, so that what was mended is not "
        "trampled; what fails again comes back. Until its turn comes a letter stays in the list.",
        arguments=_retry_arguments,
        run=retry_dead_letters,
    ),
    Command(name="dead-letters drop", help="give one up", arguments=_drop_arguments, run=drop_dead_letter),
)
