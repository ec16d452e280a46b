"""`python -m tests.contract.released_messages`: add the samples that the release in the making lacks."""

from __future__ import annotations

from tests.contract.released_messages import FOLDER, add_missing, version

print(f"{add_missing()} samples added to {(FOLDER / version()).relative_to(FOLDER.parents[2])}.jsonl")
