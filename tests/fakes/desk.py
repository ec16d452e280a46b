"""A desk at which somebody types commands: a data directory, a fake system, and what the last command wrote."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actors.admin.command_line import main
from system import process_plan
from tests.fakes.client import FakeClient


@dataclass
class Desk:
    """`out` and `err` are what the last command wrote; `client` is the system that it reached."""

    data: Path
    client: FakeClient = field(default_factory=FakeClient)
    out: str = ""
    err: str = ""

    def run(self, *line: str) -> int:
        """Run one command line; its exit status."""
        out, err = io.StringIO(), io.StringIO()
        status = main(
            ["--data", str(self.data), *line], process_plan, connect=self.client.connect, stdout=out, stderr=err
        )
        self.out, self.err = out.getvalue(), err.getvalue()
        return status

    def json(self, *line: str) -> Any:
        """Run it with `--json`; its document."""
        self.run(*line, "--json")
        return json.loads(self.out)

    @property
    def asked(self) -> Any:
        """The last message that the system was asked."""
        return self.client.asked[-1][2]
