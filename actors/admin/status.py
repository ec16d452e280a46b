"""What `status` says: the supervisor's word about processes, the stores' about payments."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

from actors.admin.reading import Reading
from actors.admin.screen import Screen
from actors.admin.tables import stuck_table
from actors.vocabulary.counts import counted

_FIRST_REPORT_SECONDS: Final = 2.0
_SILENT_SECONDS: Final = 2.0  # a long turn is no cause for alarm
_REPORTED: Final = ("name", "pid", "state", "actors", "mailbox", "restarts", "turns", "messages")


def system_status(client: Any, data: Path) -> dict[str, Any]:
    """State, processes, mailboxes, restarts, rates, and payments by status, of a running system."""
    document = _reported(client)
    document["data"] = str(data)
    return document | _stored(data)


def _reported(client: Any) -> dict[str, Any]:
    """The supervisor's status, with every cell's own report: a cell that has just come up sends its first soon."""
    deadline = time.monotonic() + _FIRST_REPORT_SECONDS
    while True:
        document: dict[str, Any] = client.control({"do": "status"})
        cells = document["cells"]
        if all("turns" in cell or cell["state"] != "ready" for cell in cells) or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    document["cells"] = [dict.fromkeys(_REPORTED) | cell for cell in cells]
    return document


def stopped_status(data: Path) -> dict[str, Any]:
    """The same of a data directory in which nothing runs."""
    document: dict[str, Any] = {"state": "stopped", "data": str(data), "cells": [], "payments": {}}
    if any(data.glob("cells/*/store.db")):
        document |= _stored(data)
    return document


def render(screen: Screen, document: dict[str, Any]) -> None:
    """The status for a person."""
    rates = document["throughput"]
    screen.facts(
        [
            ("state", document["state"]),
            ("data", document["data"]),
            ("throughput", f"{rates['payments_per_s']:,.1f} payments/s, {rates['messages_per_s']:,.1f} messages/s"),
            ("dead letters", document["dead_letters"] or ""),
            *_waiting(document["cells"]),
        ]
    )
    screen.say("")
    processes = [*document["cells"], document["gateway"]] if document.get("gateway") else document["cells"]
    columns = ("process", ">pid", "state", ">actors", ">mailbox", ">restarts", ">turns", ">messages", "")
    screen.table(
        columns,
        [
            (
                process["name"],
                process.get("pid"),
                process.get("state"),
                process.get("actors"),
                process.get("mailbox"),
                process.get("restarts"),
                process.get("turns"),
                process.get("messages"),
                _remark(process),
            )
            for process in processes
        ],
    )
    payments = [(status, number) for status, number in document["payments"].items() if number]
    screen.say("")
    screen.table(("payments", ">number"), payments, empty="no payments yet")
    stuck = document["stuck"]
    if stuck["count"]:
        screen.say("")
        reasons = ", ".join(f"{reason} {number:,}" for reason, number in stuck["by_reason"].items())
        screen.say(f"{stuck['count']:,} stuck ({reasons}); payments --stuck names them, for longest:")
        stuck_table(screen, stuck["sample"])


def _remark(process: dict[str, Any]) -> str:
    """Why it does not serve, or seems not to."""
    silent_s = process.get("silent_seconds") or 0.0
    if process.get("state") != "ready":
        return str(process.get("reason") or "")
    return f"silent for {silent_s:.1f} s" if silent_s > _SILENT_SECONDS else ""


def _waiting(cells: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What a person should know of work that waits: who doesn't answer, what is retried, who is told to come later."""
    lines = []
    for cell in cells:
        backlog: dict[str, int] = cell.get("backlog") or {}
        for name, circuit in (cell.get("circuits") or {}).items():
            state, failures = circuit["state"], circuit["failures"]
            after = f" after {counted(failures, 'failure')}" if failures else ""
            waiting = counted(backlog.get(name, 0), "task waits", "tasks wait")
            lines.append((f"{cell['name']} {name}", f"{state}{after}, {waiting}"))
        if cell.get("parked"):
            waiting = counted(cell["parked"], "conversation waits", "conversations wait")
            lines.append((f"{cell['name']} retries", f"{waiting} for another try"))
        if cell.get("busy"):
            lines.append((f"{cell['name']} intake", f"busy: {cell['busy']}"))
    return lines


def _stored(data: Path) -> dict[str, Any]:
    reading = Reading.open(data)
    try:
        return {
            "payments": reading.counts(),
            "throughput": reading.rates(),
            "dead_letters": reading.number_of_dead_letters(),
            "stuck": reading.stuck(),
        }
    finally:
        reading.close()
