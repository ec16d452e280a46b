"""What a workflow can be that nobody may run: one class, so that whatever loads workflows can name it."""

from __future__ import annotations


class BadWorkflow(ValueError):
    """A definition that can't be run; the text is one sentence that says what is wrong with it."""
