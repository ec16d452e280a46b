"""Whether everything serves, and if not, what doesn't and what to do: from what the supervisor says of each process.

Beside it, as a warning, what only a person can move: stuck payments make no system ill.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from actors.admin.command import CommandFailed
from actors.admin.reading import Reading
from actors.admin.screen import Screen
from actors.store.session import StoreRefused
from actors.vocabulary.counts import counted

ANSWER_SECONDS: Final = 5.0  # for the supervisor to answer within
_OVERDUE: Final = 0.5  # of the time after which it is killed: so long a cell may be silent and count as busy


def health_of(client: Any, data: Path) -> dict[str, Any]:
    """The health of a running system: each process, and in `problems` a sentence for each that does not serve."""
    said = client.control({"do": "status"}, ANSWER_SECONDS)
    limit_s = said.get("silent_limit_seconds")
    processes = [_judged(process, limit_s, data) for process in [said["gateway"], *said["cells"]]]
    problems = [process["problem"] for process in processes if process["problem"]]
    if said["state"] == "stopping":
        problems.insert(0, f"the system in {data} is stopping; start it again when it has stopped")
    return _document(said["state"], data, processes, problems)


def warned(document: Mapping[str, Any], data: Path) -> dict[str, Any]:
    """The same with what a person should look at though every process serves: payments that are stuck.

    Where a store can't be read nothing is said of it: what is wrong there stands among the problems.
    """
    stuck = None
    with contextlib.suppress(CommandFailed, StoreRefused):
        reading = Reading.open(data)
        try:
            stuck = {name: found for name, found in reading.stuck().items() if name != "sample"}
        finally:
            reading.close()
    warnings = []
    if stuck and stuck["count"]:
        reasons = ", ".join(f"{reason} {number:,}" for reason, number in stuck["by_reason"].items())
        count = counted(stuck["count"], "payment is", "payments are")
        warnings.append(f"{count} stuck ({reasons}); payments --stuck names them, with the reason and for how long")
    return {**document, "warnings": warnings, "stuck": stuck}


def unreachable(state: str, data: Path, problem: str) -> dict[str, Any]:
    """The health of a system that gives no answer."""
    return _document(state, data, [], [problem])


def sentence(document: Mapping[str, Any]) -> str:
    """All problems in one line."""
    return "; ".join(document["problems"])


def render(screen: Screen, document: Mapping[str, Any]) -> None:
    """For a person: the processes, what is wrong with them goes to standard error."""
    screen.say("healthy: every process serves" if document["healthy"] else f"not healthy ({document['state']})")
    for warning in document["warnings"]:
        screen.say(f"warning: {warning}")
    rows = [(each["name"], each["state"], "" if each["serves"] else "no") for each in document["processes"]]
    if rows and not document["healthy"]:
        screen.table(("process", "state", "serves"), rows)


def _document(state: str, data: Path, processes: list[dict[str, Any]], problems: list[str]) -> dict[str, Any]:
    return {
        "healthy": not problems,
        "state": state,
        "data": str(data),
        "processes": processes,
        "problems": problems,
    }


def _judged(process: Mapping[str, Any], limit_s: float | None, data: Path) -> dict[str, Any]:
    problem = _problem(process, limit_s, data)
    return {
        "name": process["name"],
        "state": process["state"],
        "serves": problem is None,
        "restarts": process.get("restarts"),
        "silent_seconds": process.get("silent_seconds"),
        "reason": process.get("reason") if problem else None,
        "problem": problem,
    }


def _problem(process: Mapping[str, Any], limit_s: float | None, data: Path) -> str | None:
    """What is wrong with one process and what to do about it; None if it serves."""
    name, state, reason = process["name"], process["state"], process.get("reason")
    log = f"logs/{name}.log"
    silent_s = process.get("silent_seconds") or 0.0
    because = f": {reason}" if reason else ""
    match state:
        case "ready" if limit_s is not None and silent_s > limit_s * _OVERDUE:
            return f"{name} has not answered for {silent_s:.1f} s; it is killed and replaced after {limit_s:g} s"
        case "ready" if process.get("store_refuses"):
            return f"{name} can't write its store; make room on the disk, see {log}"
        case "ready":
            return None
        case "given_up" | "down":
            said = reason if state == "given_up" else f"down: {reason}"
            again = f"python system.py stop --data {data} and start it again"
            return f"{name} is {said}; mend the cause, see {log}, then {again}"
        case _:
            return f"{name} is being brought back ({state}{because}); look again in a moment, see {log}"
