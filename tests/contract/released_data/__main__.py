"""`python -m tests.contract.released_data [--again]`: pack the data directory that the version in the making leaves."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.contract.released_data import FOLDER, make
from tests.contract.released_messages import version

if (FOLDER / f"{version()}.tar.xz").exists() and "--again" not in sys.argv:
    sys.exit(f"{version()} has one already; --again replaces it, as long as that version is not released")
with tempfile.TemporaryDirectory() as folder:
    print(f"{make(Path(folder))} made")
