"""Who subscribes to what, and reading the log again."""

from __future__ import annotations

import argparse
from typing import Any

from actors.admin import arguments as kinds
from actors.admin.command import DONE, Command, CommandFailed, Invocation


def show(invocation: Invocation) -> int:
    """Subscribers with their event types, offset and lag, in each cell."""
    with invocation.reading() as reading:
        subscriptions = reading.subscriptions()
    columns = ("subscriber", "cell", ">offset", ">lag", "events", "no longer")
    invocation.screen.show(
        {"subscriptions": subscriptions},
        lambda _: invocation.screen.table(columns, _rows(subscriptions), empty="nobody subscribes to anything"),
    )
    return DONE


def _rows(subscriptions: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """A subscriber's cells together; the events, which are many, once, unless another cell has others."""
    rows, before = [], None
    for each in sorted(subscriptions, key=lambda each: each["subscriber"]):
        what = (each["subscriber"], each["events"], each["inactive"])
        events = ("", "") if what == before else (", ".join(each["events"]), ", ".join(each["inactive"]))
        rows.append((each["subscriber"], each["cell"], each["offset"], each["lag"], *events))
        before = what
    return rows


def replay(invocation: Invocation) -> int:
    """Deliver the log to a replayable subscriber again."""
    from actors.directory.messages import Replay, SubscriptionRefused
    from actors.messaging.envelope import OPERATOR

    given = invocation.arguments
    message = Replay(subscriber=given.subscriber, from_offset=given.from_offset)
    with invocation.system() as client:
        replies = client.broadcast(message, "directory", kind=OPERATOR)
    for reply in replies:
        if isinstance(reply, SubscriptionRefused):
            raise CommandFailed(reply.error)
    document = {"subscriber": given.subscriber, "from_offset": given.from_offset, "cells": len(replies)}
    invocation.screen.show(
        document, lambda _: invocation.screen.say(f"{given.subscriber} reads again from {given.from_offset}")
    )
    return DONE


def _replay_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("subscriber", metavar="SUBSCRIBER", type=kinds.subscriber)
    parser.add_argument(
        "--from",
        dest="from_offset",
        type=kinds.offset,
        required=True,
        metavar="N",
        help="the first position in each cell's log that is read again",
    )


COMMANDS = (
    Command(name="directory", help="who subscribes to what, with offsets and lag", run=show),
    Command(
        name="directory replay",
        help="deliver the log again to a subscriber that allows it",
        arguments=_replay_arguments,
        run=replay,
    ),
)
