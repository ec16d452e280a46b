"""Where settings come from, which of them wins, and what is said about wrong ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.settings import (
    CONFIG,
    EMBEDDED,
    BadSettings,
    Settings,
    effective_settings,
    read_settings,
    section_of,
    write_effective,
)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith("PAYSAGA_")]:
        monkeypatch.delenv(variable)


def config(tmp_path: Path, text: str) -> Path:
    """A configuration file."""
    path = tmp_path / "own.toml"
    path.write_text(text)
    return path


def test_without_anything_the_defaults_hold() -> None:
    """A laptop needs no configuration."""
    assert read_settings() == Settings()


def test_the_embedded_configuration_says_what_the_defaults_say() -> None:
    """The file shows every setting commented out; only the topology stands in it."""
    assert read_settings(EMBEDDED) == Settings()


@pytest.mark.parametrize("name", ["embedded", "partitioned", "isolated"])
def test_a_shipped_configuration_shows_every_setting(name: str) -> None:
    """Whoever opens the file sees what there is to set, without looking anywhere else."""
    text = (CONFIG / f"{name}.toml").read_text()
    for section, field in Settings.model_fields.items():
        if section_of(section) is None:
            continue
        assert f"[{section}]" in text
        assert field.annotation is not None
        for key in field.annotation.model_fields:
            assert f"{key} = " in text, f"{section}.{key}"
    assert read_settings(CONFIG / f"{name}.toml").topology.name == name


def test_the_environment_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container is configured by its environment, over the file it ships."""
    path = config(tmp_path, "[ledger]\nhold_seconds = 10\n[store]\ncache_mb = 8\n")
    monkeypatch.setenv("PAYSAGA_LEDGER__HOLD_SECONDS", "20")
    settings = read_settings(path)
    assert (settings.ledger.hold_seconds, settings.store.cache_mb) == (20, 8)


def test_the_command_line_overrides_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typed last counts."""
    path = config(tmp_path, "[ledger]\nhold_seconds = 10\n")
    monkeypatch.setenv("PAYSAGA_LEDGER__HOLD_SECONDS", "20")
    assert read_settings(path, {"ledger.hold_seconds": "30"}).ledger.hold_seconds == 30


def test_values_on_the_command_line_are_read_as_toml_or_else_as_text() -> None:
    """Lists and numbers are possible, and plain words need no quotes."""
    settings = read_settings(None, {"execution.delay_ms": "[0, 0]", "disbursement.flow": "choreographed"})
    assert settings.execution.delay_ms == (0, 0)
    assert settings.disbursement.flow == "choreographed"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("ledger.hold", "1", "setting ledger.hold does not exist"),
        ("nothing.at_all", "1", "setting nothing.at_all does not exist"),
        ("ledger", "1", "ledger is a section"),
        ("ledger.hold_seconds", "soon", "setting ledger.hold_seconds: "),
        ("topology.cells", "0", "setting topology.cells: "),
        ("disbursement.flow", "dance", "'choreographed'"),
    ],
)
def test_a_wrong_override_is_named_in_one_sentence(key: str, value: str, said: str) -> None:
    """A typo never passes as if it had set something."""
    with pytest.raises(BadSettings) as refused:
        read_settings(None, {key: value})
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[ledger]\nhold = 1\n", "setting ledger.hold does not exist"),
        ("[ledgre]\n", "setting ledgre does not exist"),
        ("[ledger\n", "is not TOML"),
        ("topology = 3\n", "setting topology: "),
    ],
)
def test_a_wrong_file_is_named_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    """The sentence names the key, or the line."""
    with pytest.raises(BadSettings, match="(?s)" + said.replace(".", r"\.")):
        read_settings(config(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """Rather than started without it."""
    with pytest.raises(BadSettings, match="can't be read"):
        read_settings(tmp_path / "absent.toml")


def test_a_variable_for_no_section_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment variable with a typo would otherwise set nothing, silently."""
    monkeypatch.setenv("PAYSAGA_LEDGRE__HOLD_SECONDS", "20")
    with pytest.raises(BadSettings, match="PAYSAGA_LEDGRE__HOLD_SECONDS"):
        read_settings()


def test_variables_that_are_no_settings_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """`PAYSAGA_DEBUG` and its like mean something else."""
    monkeypatch.setenv("PAYSAGA_DEBUG", "1")
    monkeypatch.setenv("PAYSAGA_DATA", "/somewhere")
    assert read_settings().data == "/somewhere"


def test_what_a_system_was_started_with_is_read_back_as_written(tmp_path: Path) -> None:
    """Every process of the system reads the same settings."""
    settings = read_settings(None, {"runtime.seed": "7", "aml.watchlists": '["a.csv", "b.xml"]'})
    write_effective(settings, tmp_path)
    assert effective_settings(tmp_path) == settings


def test_settings_of_a_system_never_started_are_refused(tmp_path: Path) -> None:
    """In a sentence that says what to do."""
    with pytest.raises(BadSettings, match="start the system"):
        effective_settings(tmp_path)


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ('["aml:0"]', "setting topology.groups.0: a group is services joined by +"),
        ('["aml+"]', "such as ledger+aml or payment:2, not 'aml+'"),
        ('"aml"', "setting topology.groups: Input should be a list, not 'aml'"),
        ("[]", "isolated needs groups"),
    ],
)
def test_a_wrong_group_is_told_in_words(tmp_path: Path, groups: str, said: str) -> None:
    """A pattern or a word of Python tells an operator nothing."""
    with pytest.raises(BadSettings) as refused:
        read_settings(config(tmp_path, f'[topology]\nname = "isolated"\ngroups = {groups}\n'))
    assert said in str(refused.value)
    assert "^" not in str(refused.value)
