"""Runs in a process of its own: builds the actor system of one data directory, reports, and ends.

A fresh interpreter, so that the system inherits nothing of the starter: no threads, no open files, no
terminal, no test runner's captured output.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import resource
import socket
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from thespian.actors import ActorSystem
from thespian.system.multiprocCommon import (
    MAX_ADMIN_STARTUP_DELAY,
    MultiProcAdmin,
    detach_child,
    startAdmin,
)
from thespian.system.multiprocTCPBase import ActorSystemBase
from thespian.system.transport import ReceiveEnvelope

from actors.runtime import processes
from actors.runtime.control import Launch, Launched, ProcessPlan
from actors.runtime.launch import FILES
from actors.runtime.supervisor import Supervisor
from actors.runtime.transport import LISTEN_DEPTH, LOOPBACK, SignedTransport

log = logging.getLogger(__name__)


class Administrator(MultiProcAdmin):  # type: ignore[misc]  # thespian ships no types
    """Thespian's administrator, which here lives exactly as long as its supervisor."""

    _had_supervisor = False

    @property
    def logDefs(self) -> Any:
        """Thespian keeps this as `logdefs` and asks for it by this name when its logger has died."""
        return self.logdefs

    def childDied(self) -> Any:
        """Thespian's notice that a child has ended; without a supervisor nothing may go on."""
        going_on = super().childDied()
        children = getattr(self, "_child_procs", [])
        self._had_supervisor = self._had_supervisor or bool(children)
        if self._had_supervisor and not children:
            self._end()
        return going_on

    def _startChildActor(self, *args: Any, **kwargs: Any) -> Any:
        answer = super()._startChildActor(*args, **kwargs)
        self._had_supervisor = True
        return answer

    def _end(self) -> None:
        logger = getattr(self, "asLogProc", None)
        if logger is not None:
            logger.childProc.kill()
            logger.childProc.join(1)
        os._exit(0)


class ProcessBase(ActorSystemBase):  # type: ignore[misc]  # thespian ships no types
    """Thespian's base of one process per actor, with our transport and our administrator."""

    transportType = SignedTransport

    def _startAdmin(self, adminAddr: Any, addrOfStarter: Any, capabilities: Any, logDefs: Any) -> None:
        endpoint = self.transport.prepEndpoint(adminAddr, capabilities)
        process = self.mpcontext.Process(
            target=startAdmin,
            args=(
                Administrator,
                addrOfStarter,
                endpoint,
                self.transport.__class__,
                adminAddr,
                capabilities,
                logDefs,
                self.mpcontext,
            ),
            name="administrator",
        )
        process.start()
        detach_child(process)
        answer = self.transport.run(None, MAX_ADMIN_STARTUP_DELAY)
        if not isinstance(answer, ReceiveEnvelope):
            raise RuntimeError("the administrator did not start; see logs/admin.log")


def serve(data: Path, patience: timedelta) -> None:
    """Read the plan from standard input, start the system, write one line of JSON, end.

    The line is `{"refusal": null}` or names the reason. The system goes on without this process.
    """
    plan: ProcessPlan = pickle.load(sys.stdin.buffer)  # from the starter, through a pipe of its own
    answer = Answer()
    processes.log_to(data / "logs" / "launcher.log")
    os.umask(0o077)
    _allow_files()
    try:
        refusal = _launch(data, plan, patience)
    except Exception as failure:
        log.exception("the launch failed")
        refusal = f"the system could not be launched ({failure!r}); see logs/launcher.log"
    answer.give(refusal)
    sys.stderr.flush()
    os._exit(0)  # nothing that Thespian or multiprocessing would do at exit concerns the system


def _allow_files() -> None:
    """Let this process and all that are forked from it open as many files as they need, as far as they may."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= now < FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, most))


class Answer:
    """The pipe to the starter, kept aside; what is forked from here doesn't hold it."""

    def __init__(self) -> None:
        self._pipe: int | None = os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.register_at_fork(after_in_child=self._close)

    def give(self, refusal: str | None) -> None:
        """Tell the starter how it went."""
        assert self._pipe is not None
        os.write(self._pipe, json.dumps({"refusal": refusal}).encode() + b"\n")

    def _close(self) -> None:
        if self._pipe is not None:  # once: a child's own children run this again
            os.close(self._pipe)
            self._pipe = None


def _launch(data: Path, plan: ProcessPlan, patience: timedelta) -> str | None:
    if not processes.SystemLock(data).take(timedelta(seconds=1)):  # inherited by all that is forked from here
        return f"a system already runs in {data}"
    system = _actor_system()
    supervisor = system.createActor(Supervisor)
    answer = system.ask(supervisor, Launch(plan), patience)
    if isinstance(answer, Launched):
        return answer.refusal
    return f"the system was not ready within {patience}; see {data / 'logs'}"


def _actor_system() -> Any:
    listening = socket.create_server((LOOPBACK, 0), backlog=LISTEN_DEPTH)
    listening.setblocking(False)
    SignedTransport.admin_socket = listening
    capabilities = {"Admin Port": listening.getsockname()[1], "Process Startup Method": "fork"}
    # Thespian's logger logs to its own file, as every process here; it needs no more than this.
    log_definitions = {"version": 1, "disable_existing_loggers": False}
    base = ProcessBase(SimpleNamespace(capabilities=capabilities), log_definitions)
    # An object and `transientUnique`: the name of a base would make it a singleton of Thespian's own.
    return ActorSystem(systemBase=base, capabilities=capabilities, transientUnique=True)
