"""The process actor that starts, watches and replaces the gateway and the cells.

Knows no payment. Decides nothing about restarts itself: `supervision.after_exit` does. A child is gone
when the kernel says so (its pidfd), not when a message says so; and only then is it replaced.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from thespian.actors import Actor, ChildActorExited, ThespianWatch, WakeupMessage, WatchMessage

from actors.runtime import processes
from actors.runtime.cell import Cell, load
from actors.runtime.child import Child
from actors.runtime.children import Children
from actors.runtime.control import (
    GATEWAY_NAME,
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
from actors.runtime.ending import say_stopping
from actors.runtime.shutdown import Shutdown
from actors.runtime.signals import Signals
from actors.runtime.supervision import Escalate, GiveUp, Restart, SupervisionSpec

log = logging.getLogger(__name__)

TICK = timedelta(milliseconds=100)


class Supervisor(Actor):  # type: ignore[misc]  # thespian ships no types
    """The parent of the gateway and of all cells; when it dies they die, when it ends the system ends."""

    def __init__(self) -> None:
        self.plan: ProcessPlan | None = None
        self.children = Children(SupervisionSpec(), ())
        self.starter: Any = None  # until it has been told how the start went
        self.shutdown: Shutdown | None = None
        self.stop_now = False
        self.to_kill: str | None = None
        self.signals: Signals | None = None
        self.keeper: int | None = None  # a pidfd

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
        watched = [child.pidfd for child in self.children.values() if child.pidfd is not None]
        watched += [self.signals.fileno()] if self.signals else []
        watched += [self.keeper] if self.keeper is not None else []
        return ThespianWatch(watched)

    # Starting

    def _launch(self, message: Launch, sender: Any) -> None:
        plan = self.plan = message.plan
        self.starter = sender
        processes.enter(Path(plan.data), "supervisor")
        self.signals = Signals(self._forget_descriptors)
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
        children = [
            Child(each.name, gateway if each.name == GATEWAY_NAME else Cell, each.restart) for each in plan.children()
        ]
        self.children = Children(plan.supervision, children)
        if plan.keeper is not None:
            self._keep_to(plan.keeper)

    def _keep_to(self, pid: int) -> None:
        """End the system when the process `pid` ends: nobody would end it otherwise."""
        try:
            self.keeper = os.pidfd_open(pid)
        except OSError:
            self._stop(now=True)

    def _start(self, child: Child) -> None:
        assert self.plan is not None
        child.incarnation += 1
        child.beat_open = False
        child.report = {}
        try:
            address = self.createActor(child.actor_class)
            # Thespian's own record of the process it has just forked: its pid, before it says a word.
            child.born(self._myRef._child_procs[-1].childProc)
        except OSError as failure:
            child.reason = f"no process could be made: {failure}"
            self._failed(child, normal=False)
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
        if message.blamed:
            self.children.blame(child, message.blamed)
        if self.children.are_ready():
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
        peers = Peers(self.children.addresses(), self.children.incarnations(), self.children.down())
        for address in peers.addresses.values():
            self.send(address, peers)

    # Watching

    def _proceed(self) -> None:
        """Whatever the message was: see who is gone, who is overdue, who may start, whether all is done."""
        now = time.monotonic()
        for child in self.children.values():
            if child.pidfd is not None and processes.has_exited(child.pidfd):
                self._gone(child)
        if self.keeper is not None and processes.has_exited(self.keeper):
            self._keeper_gone()
        if self.shutdown is not None:
            if self.shutdown.go_on(now):
                self._drain_then_exit()
            return
        for child in self.children.values():
            self._check(child, now)

    def _check(self, child: Child, now: float) -> None:
        assert self.plan is not None
        if self.shutdown is not None:  # since a sibling was checked
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
        child.reason = child.cause = reason
        child.enter("killed")  # nobody is to send it anything; what follows is its exit
        child.kill()

    def _alive(self, message: Alive, sender: Any) -> None:
        child = self.children.get(message.name)
        if child is not None and child.phase == "ready" and message.number == child.beat:
            child.beat_open = False
            child.report = message.report

    def _gone(self, child: Child) -> None:
        """A process has ended, whoever ended it: replace it if it was not meant to."""
        pid = child.pid
        status = child.bury()
        log.info("%s (process %s) is gone: %s", child.name, pid, child.reason)
        if self.shutdown is not None:
            child.enter("stopped")
        elif child.refused:
            # It says itself what it waits for, such as space on the disk: that may take longer than any period.
            assert self.plan is not None
            child.refused = False
            child.due = time.monotonic() + self.plan.supervision.maximum_backoff.total_seconds()
            child.enter("waiting")
        elif child.phase == "ending":  # with a sibling, under the strategy; its failure has been counted
            child.enter("waiting")
        elif child.phase == "down":  # likewise, and it is a temporary one
            self._without(child)
        else:
            self._failed(child, normal=status == 0)
            self._introduce()

    def _failed(self, child: Child, *, normal: bool) -> None:
        decision = self.children.ended(child, normal=normal)
        if isinstance(decision, Restart):
            return
        if self.starter is not None:
            said = child.reason if isinstance(decision, GiveUp) else f"down: {child.reason}"
            self._refuse(f"{child.name} was {said}; see logs/{child.name}.log")
        elif isinstance(decision, Escalate):
            self._stop(now=False, reason=f"{child.name}: {child.reason}")
        else:
            self._without(child)

    def _without(self, child: Child) -> None:
        """It stays down: the others serve on, unless nobody can reach them any more."""
        if child.name == GATEWAY_NAME:
            self._stop(now=False, reason=f"{child.name}: {child.reason}")
        else:
            self._introduce()

    # Stopping

    def _stop(self, *, now: bool, reason: str | None = None) -> None:
        """Every child in turn, the last started first, then this process; the rest follows it."""
        self.stop_now = self.stop_now or now
        if self.shutdown is None:
            log.info("the system stops")
            self._launched("it was stopped while it started")
            patience_s = self.plan.stop_deadline.total_seconds() if self.plan else 0
            if self.plan:
                say_stopping(Path(self.plan.data), reason)
            self.shutdown = Shutdown(list(self.children.values()), patience_s, self._ask_to_stop)

    def _ask_to_stop(self, child: Child) -> None:
        self.send(child.address, Stop(self.stop_now))

    def _stopped(self, message: Stopped, sender: Any) -> None:
        if self.shutdown is not None and message.name in self.children:
            self.children[message.name].enter("stopped")

    def _keeper_gone(self) -> None:
        assert self.keeper is not None
        os.close(self.keeper)
        self.keeper = None
        log.error("the process that stays in the foreground has ended")
        self._stop(now=False)

    def _drain_then_exit(self) -> None:
        """End this process; the administrator sees it and ends the logger and itself."""
        log.info("the system has stopped")
        self._myRef.drainTransmits()  # the launcher may still be owed its answer
        sys.stderr.flush()
        os._exit(0)

    def _forget_descriptors(self) -> None:
        """In a child: its siblings' descriptors are not its business."""
        for child in self.children.values():
            if child.pidfd is not None:
                os.close(child.pidfd)
                child.pidfd = None  # a child that forks in turn closes nothing twice
        if self.keeper is not None:
            os.close(self.keeper)
            self.keeper = None

    def _watched(self, message: WatchMessage, sender: Any) -> None:
        numbers = self.signals.taken() if self.signals else []
        if numbers:
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
                return {"ready": self.children.are_ready()}
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
            child.cause = "an operator killed it"
            child.kill()
        return {"killed": name, "pid": child.pid}

    def _status(self) -> dict[str, Any]:
        children, now = self.children, time.monotonic()
        ready = children.are_ready()
        state = "running" if ready else "degraded" if children.down() else "starting"
        return {
            "state": "stopping" if self.shutdown is not None else state,
            "supervisor": os.getpid(),
            "admin": os.getppid(),
            "silent_limit_seconds": self.plan.heartbeat_deadline.total_seconds() if self.plan else None,
            "gateway": children[GATEWAY_NAME].status(now),
            "cells": [child.status(now) for child in children.values() if child.name != GATEWAY_NAME],
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
