"""Fault drills, and the demonstration."""

from __future__ import annotations

import argparse

from actors.admin import arguments as kinds
from actors.admin.command import DONE, Command, CommandFailed, Invocation


def kill(invocation: Invocation) -> int:
    """End an actor, or a cell's process, at once; supervision brings it back."""
    name = invocation.arguments.name
    with invocation.system() as client:
        status = client.control({"do": "status"})
        processes = {cell["name"] for cell in status["cells"]} | {"gateway"}
        if name in processes:
            answer = client.control({"do": "kill", "name": name})
            if "error" in answer:
                raise CommandFailed(answer["error"])
            document = {"killed": name, "kind": "process", "pid": answer.get("pid")}
        else:
            document = {"killed": name, "kind": "actor", "cells": _kill_actor(client, name, processes)}
    invocation.screen.show(
        document,
        lambda _: invocation.screen.say(f"{name} ({document['kind']}) was killed; supervision brings it back"),
    )
    return DONE


def demo(invocation: Invocation) -> int:
    """A throw-away system and a dozen payments of every outcome, in both flows."""
    from actors.admin.demo import run

    return run(invocation)


def _kill_actor(client: object, name: str, processes: set[str]) -> int:
    """Kill the actor of this name wherever it is; in how many cells it was."""
    from actors.admin.reading import slot_of_id
    from actors.messaging.envelope import OPERATOR
    from actors.messaging.system_messages import ActorKilled, KillActor

    _, is_one, identifier = name.partition("/")
    message = KillActor(name=name)
    if is_one:
        slot = slot_of_id(identifier, "payment")
        home = client.home_of(name, slot)  # type: ignore[attr-defined]
        replies = [client.request(message, f"actors@{home}", slot, kind=OPERATOR)]  # type: ignore[attr-defined]
    else:
        replies = client.broadcast(message, "actors", kind=OPERATOR)  # type: ignore[attr-defined]
    found = sum(1 for reply in replies if isinstance(reply, ActorKilled) and reply.found)
    if not found:
        known = ", ".join(sorted(processes))
        raise CommandFailed(f"neither a process ({known}) nor an actor is called {name}")
    return found


def _kill_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME", type=kinds.process_or_actor, help="cell-0, gateway, ledger, payment/<id>, …"
    )


COMMANDS = (
    Command(
        name="kill",
        help="a fault drill: end an actor or a cell's process at once",
        arguments=_kill_arguments,
        run=kill,
    ),
    Command(
        name="demo",
        help="a throw-away system, a dozen payments of every outcome in both flows",
        run=demo,
        in_shell=False,
    ),
)
