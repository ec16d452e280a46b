"""What `health` makes of the supervisor's word, and how `start` answers on a running system."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.admin.commands.lifecycle import not_in_force, not_running
from actors.admin.health import health_of, sentence, warned
from actors.runtime.ending import forget_stopping, is_stopping, reason_of_end, say_stopping
from config.settings import BadSettings, Settings, read_settings
from system import process_plan
from tests.fakes.client import FakeClient
from tests.fakes.stores import keep_payment, open_store

DATA = Path("/srv/paysaga")


def status(system: str = "running", /, **cell: Any) -> dict[str, Any]:
    """What the supervisor says of a gateway and two cells, one of them as given."""
    ready = {"state": "ready", "restarts": 0, "silent_seconds": 0.0, "reason": None}
    return {
        "state": system,
        "silent_limit_seconds": 10.0,
        "gateway": ready | {"name": "gateway"},
        "cells": [ready | {"name": "ledger"}, ready | {"name": "payment-0"} | cell],
    }


def health(said: dict[str, Any]) -> dict[str, Any]:
    """The answer to it."""
    return health_of(FakeClient(controls={"status": said}), DATA)


def test_where_every_process_serves_the_system_is_healthy() -> None:
    """Restarts of the past are no illness."""
    document = health(status(restarts=7, reason="its process was ended by SIGKILL"))
    assert document["healthy"]
    assert document["problems"] == []
    assert [each["serves"] for each in document["processes"]] == [True, True, True]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (
            {"state": "given_up", "reason": "given up after 11 failures"},
            "payment-0 is given up after 11 failures; mend",
        ),
        ({"state": "down", "reason": "its process ended"}, "payment-0 is down: its process ended; mend"),
        ({"state": "waiting", "reason": "its process ended"}, "payment-0 is being brought back (waiting: its process"),
        ({"state": "starting"}, "payment-0 is being brought back (starting); look again"),
        ({"silent_seconds": 7.2}, "payment-0 has not answered for 7.2 s; it is killed and replaced after 10 s"),
        ({"store_refuses": True}, "payment-0 can't write its store; make room on the disk, see logs/payment-0.log"),
    ],
)
def test_what_does_not_serve_is_named_with_what_to_do(cell: dict[str, Any], said: str) -> None:
    """A monitor shows that one line to a person in the night."""
    document = health(status("degraded", **cell))
    assert not document["healthy"]
    assert sentence(document).startswith(said)
    assert [each["serves"] for each in document["processes"]] == [True, True, False]


def test_a_busy_moment_is_no_illness() -> None:
    """A long turn must not make a load balancer turn away from a system that works."""
    assert health(status(silent_seconds=3.0))["healthy"]


def test_a_system_that_stops_is_not_healthy() -> None:
    """What is sent to it now waits for the next start."""
    assert "is stopping" in sentence(health(status("stopping")))


def test_a_system_that_ended_by_itself_says_why(tmp_path: Path) -> None:
    """Whoever finds it down need not look through logs first."""
    (tmp_path / "run").mkdir()
    assert "ended by itself" not in not_running(tmp_path)
    say_stopping(tmp_path, None)
    assert is_stopping(tmp_path)
    assert reason_of_end(tmp_path) is None
    say_stopping(tmp_path, "ledger: the last of 11 failures")
    assert "(it ended by itself: ledger: the last of 11 failures)" in not_running(tmp_path)
    forget_stopping(tmp_path)
    assert not is_stopping(tmp_path)


def test_settings_that_a_running_system_does_not_take_are_named() -> None:
    """`start --set` on a running system would otherwise seem to have worked."""
    running = read_settings(None, {"topology.cells": "2"})
    asked = read_settings(None, {"ledger.hold_seconds": "60", "store.cache_mb": "64"})
    assert not_in_force(asked, running, {"ledger.hold_seconds", "store.cache_mb"}) == [
        "ledger.hold_seconds (it has 604800.0)"
    ]
    assert not_in_force(asked, running, set()) == []
    assert not_in_force(asked, running, None) == ["topology.cells (it has 2)", "ledger.hold_seconds (it has 604800.0)"]


def test_every_word_of_supervision_can_be_set_and_reaches_the_processes() -> None:
    """The policy is data: no code has to be touched to change it."""
    settings = read_settings(
        None,
        {
            "topology.cells": "2",
            "supervision.strategy": "rest_for_one",
            "supervision.restart": "transient",
            "supervision.restart_of": '{cell-1 = "temporary"}',
            "supervision.exceeded": "stop",
            "supervision.backoff_jitter": "0.5",
            "supervision.backoff_factor": "3",
            "supervision.stop_seconds": "4",
        },
    )
    plan = process_plan(settings, DATA)
    assert [(child.name, child.restart) for child in plan.children()] == [
        ("gateway", "transient"),
        ("cell-0", "transient"),
        ("cell-1", "temporary"),
    ]
    spec = plan.supervision
    assert (spec.strategy, spec.exceeded, spec.jitter, spec.backoff_factor) == ("rest_for_one", "stop", 0.5, 3)
    assert plan.stop_deadline.total_seconds() == 4


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"supervision.restart_of": '{cell-7 = "temporary"}'}, "names cell-7, but the processes are gateway, cell-0"),
        ({"supervision.restart_of": '{cell-0 = "often"}'}, "setting supervision.restart_of.cell-0: "),
        ({"supervision.restart": "sometimes"}, "setting supervision.restart: "),
        ({"supervision.backoff_initial_seconds": "9"}, "backoff_initial_seconds must not exceed"),
        ({"supervision.backoff_jitter": "2"}, "setting supervision.backoff_jitter: "),
    ],
)
def test_a_policy_that_can_not_be_meant_is_refused_in_a_sentence(setting: dict[str, str], said: str) -> None:
    """Before anything is started."""
    with pytest.raises(BadSettings) as refused:
        process_plan(read_settings(None, setting), Settings.model_fields["data"].default)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_stuck_payments_are_a_warning_and_no_illness(tmp_path: Path) -> None:
    """They find the operator here, too; but restarting a process helps none of them."""
    session = open_store(tmp_path)
    keep_payment(session, "P1-05", "needs_attention", "AB05")
    keep_payment(session, "P2-06", "completed")
    session.commit()
    session.close()
    document = warned(health(status()), tmp_path)
    assert document["healthy"]
    assert document["stuck"] == {"count": 1, "by_reason": {"AB05": 1}}
    (warning,) = document["warnings"]
    assert warning.startswith("1 payment is stuck (AB05 1); payments --stuck")


def test_where_nothing_is_stuck_or_can_be_read_nothing_is_warned_of(tmp_path: Path) -> None:
    """A store that can't be read is its process's problem."""
    assert warned(health(status()), tmp_path)["warnings"] == []
    assert warned(health(status()), tmp_path)["stuck"] is None
    open_store(tmp_path).close()
    assert warned(health(status()), tmp_path)["warnings"] == []
