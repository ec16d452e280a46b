"""A scene as BPMN 2.0 with its layout, for any modeller: process or collaboration, and a diagram of the same shapes.

Source: OMG Business Process Model and Notation 2.0.2, the XML schemas BPMN20.xsd and BPMNDI.xsd.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from actors.pictures import scene as s
from actors.pictures.scene import Line, Point, Scene, Shape, text_width

NAMESPACES: Final = {
    "bpmn": "http://www.omg.org/spec/BPMN/20100524/MODEL",
    "bpmndi": "http://www.omg.org/spec/BPMN/20100524/DI",
    "dc": "http://www.omg.org/spec/DD/20100524/DC",
    "di": "http://www.omg.org/spec/DD/20100524/DI",
}
_PAYSAGA: Final = "urn:paysaga:workflow"
_NO_ATTRIBUTES: Final[dict[str, str]] = {}

# kind of shape → element, its attributes, its event definition
_ELEMENTS: Final[dict[str, tuple[str, dict[str, str], str]]] = {
    s.TASK: ("serviceTask", _NO_ATTRIBUTES, ""),
    s.PIVOT: ("serviceTask", _NO_ATTRIBUTES, ""),
    s.UNDO: ("serviceTask", {"isForCompensation": "true"}, ""),
    s.PERSON: ("userTask", _NO_ATTRIBUTES, ""),
    s.START: ("startEvent", _NO_ATTRIBUTES, ""),
    s.MESSAGE_START: ("startEvent", _NO_ATTRIBUTES, "message"),
    s.END: ("endEvent", _NO_ATTRIBUTES, ""),
    s.FAILED_END: ("endEvent", _NO_ATTRIBUTES, "error"),
    s.ATTENTION_END: ("endEvent", _NO_ATTRIBUTES, "escalation"),
    s.MESSAGE_END: ("endEvent", _NO_ATTRIBUTES, "message"),
    s.UNDO_THROW: ("intermediateThrowEvent", _NO_ATTRIBUTES, "compensate"),
    s.TIMER: ("intermediateCatchEvent", _NO_ATTRIBUTES, "timer"),
    s.CHOICE: ("exclusiveGateway", _NO_ATTRIBUTES, ""),
    s.TOGETHER: ("parallelGateway", _NO_ATTRIBUTES, ""),
    s.ON_REFUSAL: ("boundaryEvent", _NO_ATTRIBUTES, "error"),
    s.ON_TIMEOUT: ("boundaryEvent", _NO_ATTRIBUTES, "timer"),
    s.ON_UNDO: ("boundaryEvent", _NO_ATTRIBUTES, "compensate"),
    s.ON_HOLD: ("boundaryEvent", {"cancelActivity": "false"}, "escalation"),
    s.ON_OVERDUE: ("boundaryEvent", {"cancelActivity": "false"}, "timer"),
    s.ON_DOUBT: ("boundaryEvent", {"cancelActivity": "false"}, "escalation"),
    s.NOTE: ("textAnnotation", _NO_ATTRIBUTES, ""),
    s.BLOCK: ("subProcess", {"triggeredByEvent": "true"}, ""),
}
_ARTIFACTS: Final = ("textAnnotation", "association")
_REFERRED: Final = {"message": "messageRef", "error": "errorRef", "escalation": "escalationRef"}


def bpmn(scene: Scene) -> str:
    """The whole document."""
    return _Writer(scene).write()


class _Writer:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._name = re.sub(r"[^\w-]", "-", scene.name)
        self._root = Element(
            _tag("bpmn:definitions"),
            {"id": f"definitions-{self._name}", "targetNamespace": _PAYSAGA, "exporter": "paysaga"},
        )
        self._by_id = {shape.id: shape for shape in (*scene.shapes, *scene.pools)}
        self._events: dict[tuple[str, str], str] = {}  # what is named by events: (kind, name) → id

    def write(self) -> str:
        scene = self._scene
        named = SubElement(self._root, _tag("bpmn:category"), {"id": "first"})  # a place to put what events name
        plane = self._collaboration() if scene.pools else self._process(f"process-{self._name}", scene.title, "")
        at = list(self._root).index(named)
        self._root.remove(named)
        for number, ((kind, name), identifier) in enumerate(self._events.items()):
            attributes = {"id": identifier, "name": name}
            if kind in ("error", "escalation"):
                attributes[f"{kind}Code"] = name
            self._root.insert(at + number, Element(_tag(f"bpmn:{kind}"), attributes))
        self._diagram(plane)
        for prefix, uri in NAMESPACES.items():
            ElementTree.register_namespace(prefix, uri)
        ElementTree.indent(self._root)
        return ElementTree.tostring(self._root, encoding="unicode", xml_declaration=False).join(
            ('<?xml version="1.0" encoding="UTF-8"?>\n', "")
        )

    # -- what there is

    def _collaboration(self) -> str:
        identifier = f"collaboration-{self._name}"
        whole = SubElement(self._root, _tag("bpmn:collaboration"), {"id": identifier, "name": self._scene.title})
        for pool in self._scene.pools:
            SubElement(
                whole, _tag("bpmn:participant"),
                {"id": pool.id, "name": pool.lines[0], "processRef": f"process-{pool.id}"},
            )  # fmt: skip
        for line in self._scene.lines:
            if line.kind == s.MESSAGE:
                SubElement(
                    whole, _tag("bpmn:messageFlow"),
                    {"id": line.id, "name": line.label, "sourceRef": line.source, "targetRef": line.target},
                )  # fmt: skip
        for pool in self._scene.pools:
            self._process(f"process-{pool.id}", pool.lines[0], pool.id)
        return identifier

    def _process(self, identifier: str, name: str, inside: str) -> str:
        process = SubElement(
            self._root, _tag("bpmn:process"), {"id": identifier, "name": name, "isExecutable": "false"}
        )
        self._fill(process, inside)
        return identifier

    def _fill(self, parent: Element, inside: str) -> None:
        """Flow elements first, artifacts after them, as the schema wants."""
        artifacts: list[Element] = []
        for shape in self._scene.shapes:
            if shape.inside == inside:
                element = self._element(shape)
                if shape.kind == s.BLOCK:
                    self._fill(element, shape.id)
                (artifacts if _local(element) in _ARTIFACTS else parent).append(element)
        for line in self._scene.lines:
            if line.inside == inside and line.kind != s.MESSAGE:
                element = _line(line)
                (artifacts if _local(element) in _ARTIFACTS else parent).append(element)
        parent.extend(artifacts)

    def _element(self, shape: Shape) -> Element:
        tag, attributes, event = _ELEMENTS[shape.kind]
        name = shape.label or "\n".join(shape.lines)
        element = Element(_tag(f"bpmn:{tag}"), {"id": shape.id, **attributes})
        if tag == "textAnnotation":
            SubElement(element, _tag("bpmn:text")).text = name
            return element
        if name:
            element.set("name", name)
        if shape.host:
            element.set("attachedToRef", shape.host)
        if tag == "startEvent" and self._by_id.get(shape.inside, shape).kind == s.BLOCK:
            element.set("isInterrupting", "false")
        if tag == "exclusiveGateway":
            element.set("gatewayDirection", "Unspecified")
        flows = [line for line in self._scene.lines if line.kind == s.FLOW]
        for line in flows:
            if line.target == shape.id:
                SubElement(element, _tag("bpmn:incoming")).text = line.id
        for line in flows:
            if line.source == shape.id:
                SubElement(element, _tag("bpmn:outgoing")).text = line.id
        if event:
            definition = SubElement(element, _tag(f"bpmn:{event}EventDefinition"), {"id": f"{shape.id}-{event}"})
            if event in _REFERRED:
                known = (event, shape.message or shape.label)
                definition.set(_REFERRED[event], self._events.setdefault(known, f"{event}-{len(self._events) + 1}"))
        return element

    # -- where it stands

    def _diagram(self, of: str) -> None:
        diagram = SubElement(self._root, _tag("bpmndi:BPMNDiagram"), {"id": f"diagram-{self._name}"})
        plane = SubElement(diagram, _tag("bpmndi:BPMNPlane"), {"id": f"plane-{self._name}", "bpmnElement": of})
        for pool in self._scene.pools:
            _bounds(_shape(plane, pool, {"isHorizontal": "false"}), pool.x, pool.y, pool.width, pool.height)
        blocks_first = sorted(self._scene.shapes, key=lambda shape: shape.kind != s.BLOCK)
        for shape in blocks_first:
            more = {"isExpanded": "true"} if shape.kind == s.BLOCK else {}
            more |= {"isMarkerVisible": "true"} if shape.kind == s.CHOICE else {}
            drawn = _shape(plane, shape, more)
            _bounds(drawn, shape.x, shape.y, shape.width, shape.height)
            if shape.label and shape.label_at:
                _label(drawn, shape.label, shape.label_at)
        for line in self._scene.lines:
            edge = SubElement(plane, _tag("bpmndi:BPMNEdge"), {"id": f"{line.id}-drawn", "bpmnElement": line.id})
            for x, y in line.points:
                SubElement(edge, _tag("di:waypoint"), {"x": str(x), "y": str(y)})
            if line.label and line.label_at:
                _label(edge, line.label, line.label_at)


def _line(line: Line) -> Element:
    attributes = {"id": line.id, "sourceRef": line.source, "targetRef": line.target}
    if line.kind == s.ASSOCIATION:
        return Element(_tag("bpmn:association"), {**attributes, "associationDirection": "One"})
    if line.label:
        attributes["name"] = line.label
    return Element(_tag("bpmn:sequenceFlow"), attributes)


def _shape(plane: Element, shape: Shape, more: dict[str, str]) -> Element:
    return SubElement(plane, _tag("bpmndi:BPMNShape"), {"id": f"{shape.id}-drawn", "bpmnElement": shape.id, **more})


def _bounds(parent: Element, x: int, y: int, width: int, height: int) -> None:
    SubElement(parent, _tag("dc:Bounds"), {"x": str(x), "y": str(y), "width": str(width), "height": str(height)})


def _label(parent: Element, text: str, at: Point) -> None:
    x, y = at
    _bounds(SubElement(parent, _tag("bpmndi:BPMNLabel")), x - 4, y - 12, text_width(text) + 12, 14)


def _tag(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def local_names(elements: Iterable[Element]) -> list[str]:
    """The elements' names without their namespaces."""
    return [_local(element) for element in elements]
