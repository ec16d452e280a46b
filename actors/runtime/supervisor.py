"""The process actor that starts, watches and replaces the gateway and the cells.

Knows no payment. Decides nothing about restarts itself: `supervision.after_failure` does. A child is gone
when the kernel says so (its pidfd), not when a message says so; and only then is it replaced.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from thespian.actors import Actor, ChildActorExited, ThespianWatch, WakeupMessage, WatchMessage

from actors.runtime import processes
from actors.runtime.cell import Cell, load
from actors.runtime.child import Child
from actors.runtime.control import (
    Alive,
    Configure,
    Control,
    Controlled,
    Heartbeat,
    Launch,
    Launched,
    Peers,
    ProcessPlan,
    Ready,
    Refused,
    Stop,
    Stopped,
)
from actors.runtime.supervision import GiveUp, RestartHistory, after_failure

log = logging.getLogger(__name__)

GATEWAY_NAME = "gateway"
TICK = timedelta(milliseconds=100)
LEAVE_PERIOD_S = 0.5  # for a process that has closed its store to end by itself


class Supervisor(Actor):  # type: ignore[misc]  # thespian ships no types
    """The parent of the gateway and of all cells; when it dies they die, when it ends the system ends."""

    def __init__(self) -> None:
        self.plan: ProcessPlan | None = None
        self.children: dict[str, Child] = {}
        self.history = RestartHistory()
        self.starter: Any = None  # until it has been told how the start went
        self.stopping: Literal["cells", "gateway"] | None = None
        self.stop_at = 0.0
        self.stop_now = False
        self.to_kill: str | None = None
        self.signalled: list[int] = []
        self.wakeup: tuple[socket.socket, socket.socket] | None = None

    def receiveMessage(self, message: Any, sender: Any) -> ThespianWatch:
        """Dispatch; never raises, since Thespian would run the message again and drop the watch for good."""
        try:
            handle = HANDLERS.get(type(message))
            if handle is not None:
                handle(self, message, sender)
            self._proceed()
        except Exception as failure:
            log.exception("the supervisor could not handle a %s", type(message).__name__)
            if self.starter is not None:
                self._refuse(f"the supervisor failed ({failure!r}); see logs/supervisor.log")
        pidfds = [child.pidfd for child in self.children.values() if child.pidfd is not None]
        return ThespianWatch([*pidfds, self.wakeup[0].fileno()] if self.wakeup else pidfds)

    # Starting

    def _launch(self, message: Launch, sender: Any) -> None:
        plan = self.plan = message.plan
        self.starter = sender
        processes.enter(Path(plan.data), "supervisor")
        self._catch_signals()
        self.wakeupAfter(TICK)
        try:
            # Imported here, before the fork, so that no child and no replacement spends time on it.
            gateway = load(plan.gateway_class)
            factory = load(plan.core_factory)
            getattr(sys.modules[factory.__module__], "preload", _no_more)()
        except Exception as failure:
            log.exception("an import failed")
            self._refuse(f"the system's code can't be loaded: {failure}")
            return
        gc.freeze()
        self.children = {name: Child(name, Cell) for name in plan.cells}
        self.children[GATEWAY_NAME] = Child(GATEWAY_NAME, gateway)

    def _start(self, child: Child) -> None:
        assert self.plan is not None
        child.incarnation += 1
        child.beat_open = False
        child.report = {}
        try:
            address = self.createActor(child.actor_class)
            # Thespian's own record of the process it has just forked: its pid, before it says a word.
            child.pid = self._myRef._child_procs[-1].childProc.pid
            child.pidfd = os.pidfd_open(child.pid)
        except OSError as failure:
            child.reason = f"no process could be made: {failure}"
            self._failed(child)
            return
        child.enter("starting")
        processes.record(Path(self.plan.data), child.name, child.pid)
        self.send(address, Configure(child.name, self.plan.data, child.incarnation, self.plan.core_factory))
        log.info("%s starts as process %s, incarnation %s", child.name, child.pid, child.incarnation)

    def _ready(self, message: Ready, sender: Any) -> None:
        child = self.children.get(message.name)
        if child is None or child.incarnation != message.incarnation or child.phase != "starting":
            return
        child.address = sender
        child.enter("ready")
        child.beat_at = time.monotonic()
        log.info("%s is ready", child.name)
        if all(each.phase == "ready" for each in self.children.values()):
            self._introduce()
            self._launched(None)
        elif self.starter is None:
            self._introduce()

    def _refused(self, message: Refused, sender: Any) -> None:
        child = self.children.get(message.name)
        if child is None or child.incarnation != message.incarnation:
            return
        child.reason = message.reason
        log.error("%s refuses: %s", child.name, message.reason)
        if self.starter is not None:
            self._refuse(message.reason)
        else:
            self._end(child, message.reason)
            child.refused = True

    def _refuse(self, reason: str) -> None:
        self._launched(reason)
        self._stop(now=True)

    def _launched(self, refusal: str | None) -> None:
        if self.starter is not None:
            starter, self.starter = self.starter, None
            self.send(starter, Launched(refusal))

    def _introduce(self) -> None:
        """Tell everybody where the others are."""
        there = {child.name: child.address for child in self.children.values() if child.phase == "ready"}
        # One that is starting counts as the one before it: what has no address then is known to have ended.
        incarnations = {child.name: child.incarnation - (child.phase == "starting") for child in self.children.values()}
        for address in there.values():
            self.send(address, Peers(there, incarnations))

    # Watching

    def _proceed(self) -> None:
        """Whatever the message was: see who is gone, who is overdue, who may start, whether all is done."""
        now = time.monotonic()
        for child in self.children.values():
            if child.pidfd is not None and processes.has_exited(child.pidfd):
                self._gone(child)
        if self.stopping:
            self._go_on_stopping(now)
            return
        for child in self.children.values():
            self._check(child, now)

    def _check(self, child: Child, now: float) -> None:
        assert self.plan is not None
        if self.stopping:  # since a sibling was checked
            return
        if child.phase == "waiting" and now >= child.due:
            self._start(child)
        elif child.phase == "starting" and now - child.since > self.plan.ready_deadline.total_seconds():
            self._end(child, f"it was not ready within {self.plan.ready_deadline}")
        elif child.phase == "ready" and child.beat_open:
            if now - child.beat_at > self.plan.heartbeat_deadline.total_seconds():
                self._end(child, f"it did not answer for {self.plan.heartbeat_deadline}")
        elif child.phase == "ready" and now - child.beat_at >= self.plan.heartbeat_interval.total_seconds():
            child.beat += 1
            child.beat_at = now
            child.beat_open = True
            self.send(child.address, Heartbeat(child.beat))

    def _end(self, child: Child, reason: str) -> None:
        log.error("%s is killed: %s", child.name, reason)
        child.reason = reason
        child.enter("killed")  # nobody is to send it anything; what follows is its exit
        child.kill()

    def _alive(self, message: Alive, sender: Any) -> None:
        child = self.children.get(message.name)
        if child is not None and child.phase == "ready" and message.number == child.beat:
            child.beat_open = False
            child.report = message.report

    def _gone(self, child: Child) -> None:
        """A process has ended, whoever ended it: replace it if it was not meant to."""
        assert child.pidfd is not None
        os.close(child.pidfd)
        log.info("%s (process %s) is gone", child.name, child.pid)
        child.pidfd = child.pid = child.address = None
        if self.stopping:
            child.enter("stopped")
        elif child.refused:
            # It says itself what it waits for, such as space on the disk: that may take longer than any period.
            assert self.plan is not None
            child.refused = False
            child.due = time.monotonic() + self.plan.supervision.maximum_backoff.total_seconds()
            child.enter("waiting")
        elif child.phase == "ending":  # with a sibling, under the strategy; its failure has been counted
            child.enter("waiting")
        else:
            child.reason = child.reason or "its process ended"
            self._failed(child)
            self._introduce()

    def _failed(self, child: Child) -> None:
        assert self.plan is not None
        # A monotonic reading in the dress of a datetime: a clock that is set changes no decision.
        now = datetime.fromtimestamp(time.monotonic(), UTC)
        living = [each.name for each in self.children.values() if each.phase != "given_up"]
        self.history, decision = after_failure(self.plan.supervision, self.history, living, child.name, now)
        if isinstance(decision, GiveUp):
            child.reason = f"given up after {decision.failures} failures within {decision.period}: {child.reason}"
            child.enter("given_up")
            log.critical("%s is %s", child.name, child.reason)
            if self.starter is not None:
                self._refuse(f"{child.name} was {child.reason}; see logs/{child.name}.log")
            elif child.name == GATEWAY_NAME:  # nobody can reach the system any more
                self._stop(now=False)
            return
        for name in decision.names:
            affected = self.children[name]
            affected.due = time.monotonic() + decision.delay.total_seconds()
            affected.enter("ending" if affected.pidfd is not None else "waiting")
            affected.kill()

    # Stopping

    def _stop(self, *, now: bool) -> None:
        """Cells finish their turn, then the gateway its answers, then this process ends; the rest follows."""
        self.stop_now = self.stop_now or now
        if self.stopping is None:
            log.info("the system stops")
            self._launched("it was stopped while it started")
            self.stopping = "cells"
            patience = self.plan.stop_deadline.total_seconds() if self.plan else 0
            self.stop_at = time.monotonic() + patience
            self._ask_to_stop([child for child in self.children.values() if child.name != GATEWAY_NAME])

    def _ask_to_stop(self, children: list[Child]) -> None:
        for child in children:
            if child.phase == "ready":
                self.send(child.address, Stop(self.stop_now))
            else:
                child.kill()  # it has nothing open that its next start would not recover
                child.enter("stopped")

    def _stopped(self, message: Stopped, sender: Any) -> None:
        if self.stopping and message.name in self.children:
            self.children[message.name].enter("stopped")

    def _go_on_stopping(self, now: float) -> None:
        living = [child for child in self.children.values() if child.pidfd is not None]
        for child in living:
            left = child.phase == "stopped" and now - child.since > LEAVE_PERIOD_S
            if left or now > self.stop_at:
                child.kill()
        if self.stopping == "cells" and all(child.name == GATEWAY_NAME for child in living):
            self.stopping = "gateway"
            self._ask_to_stop(living)
        if self.stopping == "gateway" and not living:
            self._drain_then_exit()

    def _drain_then_exit(self) -> None:
        """End this process; the administrator sees it and ends the logger and itself."""
        log.info("the system has stopped")
        self._myRef.drainTransmits()  # the launcher may still be owed its answer
        sys.stderr.flush()
        os._exit(0)

    def _catch_signals(self) -> None:
        """Make SIGTERM a stop and SIGINT a stop at once; both arrive as a readable descriptor."""
        self.wakeup = reading, writing = socket.socketpair()
        reading.setblocking(False)
        writing.setblocking(False)
        signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        os.register_at_fork(after_in_child=self._forget_parent)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda signum, _frame: self.signalled.append(signum))

    def _forget_parent(self) -> None:
        """In a child: its signals are its own, and its siblings' descriptors not its business."""
        signal.set_wakeup_fd(-1)
        for child in self.children.values():
            if child.pidfd is not None:
                os.close(child.pidfd)
                child.pidfd = None  # a child that forks in turn closes nothing twice

    def _watched(self, message: WatchMessage, sender: Any) -> None:
        if self.wakeup and self.wakeup[0].fileno() in message.ready:
            with contextlib.suppress(BlockingIOError):
                self.wakeup[0].recv(4096)
        if self.signalled:
            numbers, self.signalled = self.signalled, []
            self._stop(now=signal.SIGINT in numbers)

    def _tick(self, message: WakeupMessage, sender: Any) -> None:
        self.wakeupAfter(TICK)
        if self.to_kill:
            name, self.to_kill = self.to_kill, None
            self.children[name].kill()

    # Operators

    def _control(self, message: Control, sender: Any) -> None:
        self.send(sender, Controlled(message.number, self._answer(message.request)))

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        match request:
            case {"do": "status"}:
                return self._status()
            case {"do": "ready"}:
                return {"ready": all(child.phase == "ready" for child in self.children.values())}
            case {"do": "stop"}:
                self._stop(now=bool(request.get("now")))
                return {"stopping": True}
            case {"do": "kill", "name": str(name)}:
                return self._kill(name)
            case _:
                return {"error": f"the supervisor knows no request {request!r}"}

    def _kill(self, name: str) -> dict[str, Any]:
        child = self.children.get(name)
        if child is None:
            return {"error": f"no process is called {name!r}; there are {', '.join(self.children)}"}
        if child.pid is None:
            return {"error": f"{name} has no process now ({child.phase})"}
        if name == GATEWAY_NAME:
            self.to_kill = name  # at the next tick: this answer travels through it
        else:
            child.reason = "an operator killed it"
            child.kill()
        return {"killed": name, "pid": child.pid}

    def _status(self) -> dict[str, Any]:
        ready = all(child.phase == "ready" for child in self.children.values())
        given_up = any(child.phase == "given_up" for child in self.children.values())
        state = "stopping" if self.stopping else "running" if ready else "degraded" if given_up else "starting"
        return {
            "state": state,
            "supervisor": os.getpid(),
            "admin": os.getppid(),
            "gateway": self.children[GATEWAY_NAME].status(),
            "cells": [child.status() for child in self.children.values() if child.name != GATEWAY_NAME],
        }


def _no_more() -> None:
    """A core factory's module without a `preload` needs no more than itself."""


def _nothing(supervisor: Supervisor, message: ChildActorExited, sender: Any) -> None:
    """Thespian's notice of an exit is only an occasion to look at the pidfds."""


HANDLERS: dict[type, Any] = {
    Launch: Supervisor._launch,
    Ready: Supervisor._ready,
    Refused: Supervisor._refused,
    Alive: Supervisor._alive,
    Stopped: Supervisor._stopped,
    Control: Supervisor._control,
    WatchMessage: Supervisor._watched,
    WakeupMessage: Supervisor._tick,
    ChildActorExited: _nothing,
}
