"""The reference pages stand in the repository as the code has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.admin.commands import COMMANDS
from actors.admin.reference import pages
from config.settings import Settings, section_of

DIRECTORY = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize("name", ["commands.md", "settings.md", "messages.md"])
def test_a_reference_page_is_what_the_code_says(name: str) -> None:
    """A stale page misleads: write it anew with `python system.py docs`."""
    assert (DIRECTORY / name).read_text("utf-8") == pages()[name]


def test_every_command_and_every_setting_is_on_its_page() -> None:
    """What is not documented does not exist for a reader."""
    found = pages()
    for command in COMMANDS:
        assert f"python system.py {command.name}" in found["commands.md"]
    for name in Settings.model_fields:
        section = section_of(name)
        for key in section.model_fields if section else ():
            assert f"`{name}.{key}`" in found["settings.md"]


def test_no_page_names_a_place_on_a_machine() -> None:
    """Pages are the same wherever they are written."""
    for text in pages().values():
        assert str(DIRECTORY.parents[1]) not in text
