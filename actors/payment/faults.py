"""What is wrong with a workflow that nobody may run, or whose file can't be loaded: for whoever loads it to say."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Final

_HOME: Final = Path(__file__).parent.parent.parent
_WRITTEN: Final = "actors/payment/"
_LOADING: Final = "<module>"  # how Python calls what runs while a file is loaded


class BadWorkflow(ValueError):
    """A definition that can't be run; the text is one sentence that says what is wrong with it."""


def what_is_wrong(error: BaseException) -> str:
    """A sentence with file and line for an error met while a file of definitions was loaded; "" for any other error."""
    if isinstance(error, SyntaxError) and error.filename:
        return _sentence(error.filename, error.lineno, error.msg)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.name == _LOADING:
            return _sentence(frame.filename, frame.lineno, str(error))
    return ""


def _sentence(filename: str, line: int | None, error: str) -> str:
    name = filename.removeprefix(f"{_HOME}/")
    if not name.startswith(_WRITTEN):
        return ""
    return f"{name}, line {line}: {error}; mend it, then look with workflow lint"
