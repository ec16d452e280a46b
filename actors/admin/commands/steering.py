"""Pausing, resuming, retrying, restarting: one payment or all that a query finds; a service; the rail."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, Final

from actors.admin import arguments as kinds
from actors.admin.bulk import MANY, is_job, run_job, target_arguments
from actors.admin.command import DONE, Command, CommandFailed, Invocation, error_of
from actors.admin.persons import by_argument, who
from actors.vocabulary.operators import PAUSE, RESTART, RESUME, RETRY

_FINAL: Final = ("completed", "rejected", "cancelled", "returned")
_RAIL: Final = "rail"
_BEHIND: Final = {_RAIL: "execution"}  # the service that stands still while its rail is paused


def pause(invocation: Invocation) -> int:
    """Send nothing more for a payment until it is resumed."""
    return _act(invocation, PAUSE)


def resume(invocation: Invocation) -> int:
    """Let a paused payment go on."""
    return _act(invocation, RESUME)


def retry(invocation: Invocation) -> int:
    """Do at once what would be tried again later."""
    return _act(invocation, RETRY)


def restart(invocation: Invocation) -> int:
    """Send the commands again from a step on."""
    return _act(invocation, RESTART, invocation.arguments.step)


def steer(client: Any, action: str, payment_id: str, *, by: str, reason: str, step: str = "") -> str:
    """Do one of the four to one payment; the sentence that says what was done.

    Raises:
        CommandFailed: it was refused, with the sentence.
    """
    from actors.admin.reading import slot_of_id
    from actors.messaging.envelope import OPERATOR
    from actors.payment import messages

    made: dict[str, Callable[..., Any]] = {
        PAUSE: messages.PauseSaga, RESUME: messages.ResumeSaga, RETRY: messages.RetrySaga,
        RESTART: messages.RestartSaga,
    }  # fmt: skip
    argument = {"step": step} if action == RESTART else {}
    command = made[action](payment_id=payment_id, by=by, reason=reason, **argument)
    reply = client.request(command, "payment", slot_of_id(payment_id, "payment"), kind=OPERATOR)
    if not isinstance(reply, messages.SagaSteered):
        raise CommandFailed(error_of(reply))
    return str(reply.done)


def pause_service(invocation: Invocation) -> int:
    """Put aside whatever would go to a service."""
    return _pause_target(invocation, "service", invocation.arguments.name)


def resume_service(invocation: Invocation) -> int:
    """Let what was put aside go there, in order."""
    return _resume_target(invocation, "service", invocation.arguments.name)


def pause_rail(invocation: Invocation) -> int:
    """Hand nothing to the bank, ask it nothing, and don't begin to doubt."""
    return _pause_target(invocation, "rail", invocation.arguments.name)


def resume_rail(invocation: Invocation) -> int:
    """Hand over what waits; what may have been handed over before is asked for first."""
    return _resume_target(invocation, "rail", invocation.arguments.name)


def list_services(invocation: Invocation) -> int:
    """Services that can be paused, and which are."""
    from actors.topology import SERVICES

    names = [name for name in SERVICES if name != "tracker"]
    with invocation.reading() as reading:
        paused, waiting = reading.pauses("service"), reading.put_aside()
    rows = [_row("service", name, paused.get(name), waiting.get(name, 0)) for name in names]
    return _show(invocation, "services", "service", rows)


def list_rails(invocation: Invocation) -> int:
    """The rails, and which are paused."""
    with invocation.reading() as reading:
        paused, waiting = reading.pauses("rail"), reading.outbox_sizes()
    rows = [_row("rail", name, paused.get(name), waiting.get(name, 0)) for name in _BEHIND]
    return _show(invocation, "rails", "rail", rows)


def _act(invocation: Invocation, action: str, step: str = "") -> int:
    given = invocation.arguments
    if is_job(invocation, action):
        return run_job(invocation, action, step)
    payment_id = given.payment_id
    with invocation.reading() as reading:
        payment = reading.payment_without_timeline(payment_id)
    if payment is None:
        raise CommandFailed(f"there is no payment {payment_id}; payments shows the latest")
    if payment["flow"] == "choreographed" and payment["status"] in _FINAL and action == PAUSE:
        raise CommandFailed(f"{payment_id} is {payment['status']}: there is nothing to pause")
    by = who(given)
    with invocation.system() as client:
        done = steer(client, action, payment_id, by=by, reason=given.reason, step=step)
    document = {"payment_id": payment_id, "action": action, "by": by, "reason": given.reason, "done": done}
    invocation.screen.show(document, lambda _: invocation.screen.say(done))
    return DONE


def _pause_target(invocation: Invocation, kind: str, name: str) -> int:
    from actors.messaging.system_messages import PauseTarget

    given = invocation.arguments
    _must_be_rail(kind, name)
    command = PauseTarget(
        kind=kind, name=name, by=who(given), reason=given.reason, service=_BEHIND.get(name, "")
    )  # fmt: skip
    done, silent = _to_all(invocation, command)
    document = {kind: name, "paused": True, "cells": len(done), "unanswered": silent or None}
    invocation.screen.show(document, lambda _: invocation.screen.say(done[0].done if done else ""))
    return _all_heard(silent, f"{kind} pause {name}")


def _resume_target(invocation: Invocation, kind: str, name: str) -> int:
    from actors.messaging.system_messages import ResumeTarget

    given = invocation.arguments
    _must_be_rail(kind, name)
    done, silent = _to_all(invocation, ResumeTarget(kind=kind, name=name, by=who(given), reason=given.reason or ""))
    was_paused = any(each.done for each in done)
    document = {kind: name, "paused": False, "cells": len(done), "unanswered": silent or None}
    text = f"{name} goes on; what was put aside for it follows in order" if was_paused else f"{name} is not paused"
    invocation.screen.show(document, lambda _: invocation.screen.say(text))
    return _all_heard(silent, f"{kind} resume {name}")


def _to_all(invocation: Invocation, command: Any) -> tuple[list[Any], str]:
    """Tell every cell: the answers, and why one gave none (or "")."""
    from actors.gateway.client import NoAnswer
    from actors.messaging.envelope import OPERATOR
    from actors.messaging.system_messages import TargetStanding

    silent = ""
    with invocation.system() as client:
        try:
            replies = client.broadcast(command, "pauses", kind=OPERATOR)
        except NoAnswer as error:
            replies, silent = error.partial, str(error)
    for reply in replies:
        if not isinstance(reply, TargetStanding) or reply.error:
            raise CommandFailed(error_of(reply))
    return list(replies), silent


def _all_heard(silent: str, again: str) -> int:
    if silent:
        raise CommandFailed(f"{silent}; the other cells have done it: say {again} again when it is back")
    return DONE


def _must_be_rail(kind: str, name: str) -> None:
    if kind == _RAIL and name not in _BEHIND:
        raise CommandFailed(f"there is no rail {name[:40]}; there is {', '.join(_BEHIND)}")


def _row(kind: str, name: str, paused: dict[str, Any] | None, waiting: int) -> dict[str, Any]:
    return {kind: name, "paused": paused, "waiting": waiting}


def _show(invocation: Invocation, many: str, one: str, found: list[dict[str, Any]]) -> int:
    from actors.admin.tables import moment

    rows = [
        (
            each[one],
            "paused" if each["paused"] else "runs",
            moment(each["paused"]["at"]) if each["paused"] else "",
            each["paused"]["by"] if each["paused"] else "",
            each["paused"]["reason"] if each["paused"] else "",
            each["waiting"],
        )
        for each in found
    ]
    columns = (one, "", "since", "by", "why", ">waiting")
    invocation.screen.show({many: found}, lambda _: invocation.screen.table(columns, rows))
    return DONE


def _restart_arguments(parser: argparse.ArgumentParser) -> None:
    target_arguments(parser)
    parser.add_argument(
        "--from", dest="step", metavar="STEP", type=kinds.step, required=True, help="workflow show has the steps"
    )


def _service_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", type=kinds.service)


def _rail_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", default=_RAIL, help=f"default: {_RAIL}")


def _why(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument("--reason", type=kinds.reason, metavar="TEXT", required=required, help="why; it is kept")
    by_argument(parser)


def _pause_service_arguments(parser: argparse.ArgumentParser) -> None:
    _service_argument(parser)
    _why(parser, required=True)


def _resume_service_arguments(parser: argparse.ArgumentParser) -> None:
    _service_argument(parser)
    _why(parser, required=False)


def _pause_rail_arguments(parser: argparse.ArgumentParser) -> None:
    _rail_argument(parser)
    _why(parser, required=True)


def _resume_rail_arguments(parser: argparse.ArgumentParser) -> None:
    _rail_argument(parser)
    _why(parser, required=False)


COMMANDS = (
    Command(
        name="pause",
        help="send nothing more for payments until they are resumed",
        details="What arrives for a paused payment, a wish to cancel it too, is kept in order. " + MANY,
        arguments=target_arguments,
        run=pause,
    ),
    Command(
        name="resume",
        help="let paused payments go on where they stood",
        details=MANY,
        arguments=target_arguments,
        run=resume,
    ),
    Command(
        name="retry",
        help="do at once what would be tried again later",
        details="The command without answer, parked messages, dead letters of the payment; in doubt the bank is asked, "
        "and nothing is executed again. " + MANY,
        arguments=target_arguments,
        run=retry,
    ),
    Command(
        name="restart",
        help="send the commands of orchestrated payments again, from a step on",
        details="From a step at or before where the payment stands, never back over the hand-over to the bank; "
        "services answer what they have done before from their records. " + MANY,
        arguments=_restart_arguments,
        run=restart,
    ),
    Command(
        name="service pause",
        help="put aside whatever would go to a service, in every cell",
        details="The clocks of steps that wait for it stand; what a person asks of it is refused with a sentence.",
        arguments=_pause_service_arguments,
        run=pause_service,
    ),
    Command(
        name="service resume",
        help="let what was put aside go there, in order",
        arguments=_resume_service_arguments,
        run=resume_service,
    ),
    Command(name="service list", help="services, and which are paused", run=list_services),
    Command(
        name="rail pause",
        help="hand nothing to the bank and ask it nothing; doubt does not begin",
        arguments=_pause_rail_arguments,
        run=pause_rail,
    ),
    Command(
        name="rail resume",
        help="hand over what waits; what the bank may have is asked for first",
        arguments=_resume_rail_arguments,
        run=resume_rail,
    ),
    Command(name="rail list", help="rails, and which are paused", run=list_rails),
)
