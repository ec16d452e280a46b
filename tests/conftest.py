"""What holds for all tests: no test fails on how long something took."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("paysaga", deadline=None)  # a busy machine is no defect
settings.load_profile("paysaga")
