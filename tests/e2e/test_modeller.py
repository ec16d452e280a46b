"""The BPMN documents in bpmn-js, in a real browser: what a person's modeller makes of them."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from actors.pictures import bpmn
from tests.fakes import modeller
from tests.unit.test_pictures import SCENES

pytestmark = pytest.mark.skipif(bool(modeller.missing()), reason=modeller.missing())


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Every document, opened and exported again."""
    documents = {name: bpmn.bpmn(scene) for name, scene in SCENES.items()}
    return modeller.open_each(documents, tmp_path_factory.mktemp("modeller"))


@pytest.mark.parametrize("name", SCENES)
def test_a_modeller_opens_it_without_a_warning(name: str, opened: dict[str, dict[str, Any]]) -> None:
    """A warning is an element that the modeller has dropped."""
    assert opened[name].get("failed") is None
    assert opened[name]["warnings"] == []


@pytest.mark.parametrize("name", SCENES)
def test_every_element_has_its_shape_and_nothing_overlaps(name: str, opened: dict[str, dict[str, Any]]) -> None:
    """Who opens it sees a picture, not a heap."""
    elements = {each["id"]: each for each in opened[name]["elements"] if not each["label"]}
    scene = SCENES[name]
    for shape in (*scene.shapes, *scene.pools):
        assert (elements[shape.id]["width"], elements[shape.id]["height"]) == (shape.width, shape.height), shape
    for line in scene.lines:
        assert len(elements[line.id]["waypoints"]) >= 2
    boxes = [each for each in elements.values() if not each["waypoints"] and "x" in each]
    boxes = [each for each in boxes if each["type"] not in ("bpmn:SubProcess", "bpmn:Participant", "bpmn:Process")]
    for one, other in combinations(boxes, 2):
        if one["id"] != other["host"] and other["id"] != one["host"]:
            assert not _overlap(one, other), f"{one['id']} and {other['id']}"


@pytest.mark.parametrize("name", SCENES)
def test_it_can_be_exported_again_with_everything_in_it(name: str, opened: dict[str, dict[str, Any]]) -> None:
    """A modeller that has lost something on the way would save less than it was given."""
    for each in (*SCENES[name].shapes, *SCENES[name].lines):
        assert f'id="{each.id}"' in opened[name]["saved"]
        assert f'bpmnElement="{each.id}"' in opened[name]["saved"]


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(
        one["x"] < other["x"] + other["width"]
        and other["x"] < one["x"] + one["width"]
        and one["y"] < other["y"] + other["height"]
        and other["y"] < one["y"] + one["height"]
    )
