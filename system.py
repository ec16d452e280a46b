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
    """How many processes the settings ask for, and how they are watched."""
    from actors.runtime.control import ProcessPlan
    from actors.runtime.supervision import SupervisionSpec
    from actors.topology import placed

    watching = settings.supervision
    return ProcessPlan(
        data=str(data),
        cells=placed(settings.topology).names,
        supervision=SupervisionSpec(
            strategy=watching.strategy,
            intensity=watching.intensity,
            period=timedelta(seconds=watching.period_seconds),
            initial_backoff=timedelta(seconds=watching.backoff_initial_seconds),
            maximum_backoff=timedelta(seconds=watching.backoff_maximum_seconds),
        ),
        heartbeat_interval=timedelta(seconds=watching.heartbeat_seconds),
        heartbeat_deadline=timedelta(seconds=watching.silent_seconds),
    )


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(sys.argv[1:], process_plan))
