"""The command line of Paysaga: what the settings mean to the processes, and where commands start. Nothing else."""

from __future__ import annotations

import signal
import sys

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until `main` can say something, Ctrl-C ends this without a word

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from actors.admin.command_line import main

if TYPE_CHECKING:
    from actors.runtime.control import ProcessPlan
    from config.settings import Settings


def process_plan(settings: Settings, data: Path) -> ProcessPlan:
    """How many processes the settings ask for, and how they are watched.

    Raises:
        BadSettings: a process is named that there is not, or a workflow.
    """
    from actors.runtime.control import ProcessPlan
    from actors.runtime.supervision import SupervisionSpec
    from actors.topology import placed
    from config.settings import BadSettings

    watching = settings.supervision
    plan = ProcessPlan(
        data=str(data),
        cells=placed(settings.topology).names,
        supervision=SupervisionSpec(
            strategy=watching.strategy,
            intensity=watching.intensity,
            period=timedelta(seconds=watching.period_seconds),
            initial_backoff=timedelta(seconds=watching.backoff_initial_seconds),
            maximum_backoff=timedelta(seconds=watching.backoff_maximum_seconds),
            backoff_factor=watching.backoff_factor,
            jitter=watching.backoff_jitter,
            exceeded=watching.exceeded,
        ),
        restart=watching.restart,
        restart_of=dict(watching.restart_of),
        heartbeat_interval=timedelta(seconds=watching.heartbeat_seconds),
        heartbeat_deadline=timedelta(seconds=watching.silent_seconds),
        ready_deadline=timedelta(seconds=watching.ready_seconds),
        stop_deadline=timedelta(seconds=watching.stop_seconds),
    )
    try:
        plan.children()
    except ValueError as error:
        raise BadSettings(str(error)) from error
    _must_be_offered(settings.disbursement.workflow)
    return plan


def _must_be_offered(workflow: str) -> None:
    """See that new payments can run on the configured workflow; the default, which is shipped, is not looked for."""
    from config.settings import BadSettings, DisbursementSettings

    if workflow == DisbursementSettings().workflow:
        return
    from actors.assembly import offers
    from actors.vocabulary.offers import NotOffered

    try:
        offers().must_have(workflow)
    except NotOffered as error:
        raise BadSettings(f"setting disbursement.workflow: {error}") from error


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(sys.argv[1:], process_plan))
