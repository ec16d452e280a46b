"""Where everything in the picture of a chain stands: a pool for each service, time running down.

Each reaction has heights of its own, so an event's way across the pools crosses no box; the ways down run in each
pool's gutter, an event a lane.
"""

from __future__ import annotations

from typing import Final

from actors.pictures import scene as s
from actors.pictures.chain import Chain, Reaction
from actors.pictures.scene import EVENT, GATEWAY, Scene, Shape, text_width

LEFT, TOP, HEAD = 24, 60, 44
LANE: Final = 12
ROW: Final = 46
TASK_HEIGHT: Final = 56

LEGEND: Final = (
    (s.MESSAGE_START, "hears an event"),
    (s.TASK, "what the service does"),
    (s.MESSAGE_END, "publishes an event"),
    (s.MESSAGE, "the event's way"),
)


def draw(chain: Chain) -> Scene:
    """The picture of a chain, without a format."""
    return _Painter(chain).paint()


class _Painter:
    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._scene = Scene(f"choreographed-{chain.name}", chain.title, explained=LEGEND)
        self._left: dict[str, int] = {}  # where a pool's boxes begin, right of its gutter
        self._pool: dict[str, str] = {}
        self._right: dict[str, int] = {}
        self._thrown: dict[str, list[tuple[Shape, str]]] = {}  # event → who publishes it, in which pool
        self._heard: list[tuple[str, Shape, str]] = []

    def paint(self) -> Scene:
        scene, x = self._scene, LEFT
        for number, service in enumerate(self._chain.services(), 1):
            gutter = LANE * (1 + len(self._events_into(service)))
            self._left[service] = x + gutter
            self._pool[service] = f"pool{number}"
            x = self._right[service] = x + gutter + self._needed(service)
        y = TOP + HEAD
        coming = {event: service for service, event in self._chain.sources}
        for on in self._chain.reactions:
            for event in [event for event in on.events if event in coming]:
                y = self._source(coming.pop(event), event, y)
            y = self._reaction(on, y)
        self._ways()
        lefts = [LEFT, *list(self._right.values())[:-1]]
        for (service, pool), left in zip(self._pool.items(), lefts, strict=True):
            scene.pools.append(
                Shape(id=pool, kind="pool", x=left, y=TOP, width=self._right[service] - left, height=y - TOP,
                      lines=(service,))
            )  # fmt: skip
        scene.width, scene.height = x + LEFT, y + 24
        return scene

    def _events_into(self, service: str) -> list[str]:
        return list(
            dict.fromkeys(event for on in self._chain.reactions if on.service == service for event in on.events)
        )

    def _needed(self, service: str) -> int:
        widths = [text_width(service, 14) + 40, 180]
        for on in self._chain.reactions:
            if on.service == service:
                widths += [text_width(on.command, 13) + 40]
                widths += [62 + text_width(event) for event in on.events]
                widths += [EVENT + 84 + text_width(event) for event in on.outcomes]
        widths += [EVENT + 84 + text_width(event) for publisher, event in self._chain.sources if publisher == service]
        return max(widths) + 16

    def _source(self, service: str, event: str, y: int) -> int:
        scene, x, pool = self._scene, self._left[service], self._pool[service]
        start = scene.add(s.START, x, y, EVENT, EVENT, inside=pool)
        thrown = self._throw(service, event, x + 70, y)
        middle = start.middle[1]
        scene.connect(s.FLOW, start, thrown, [(x + EVENT, middle), (x + 70, middle)], inside=pool)
        return y + ROW + 8

    def _reaction(self, on: Reaction, y: int) -> int:
        scene, x, pool = self._scene, self._left[on.service], self._pool[on.service]
        catches = []
        for event in on.events:
            catch = scene.add(s.MESSAGE_START, x, y, EVENT, EVENT, label=event, label_at=(x + 52, y + 22), inside=pool,
                              message=event)  # fmt: skip
            self._heard.append((event, catch, on.service))
            catches.append(catch)
            y += ROW
        y += 4
        spine = x + 44
        width = max(150, text_width(on.command, 13) + 30)
        task = scene.add(s.TASK, x + 8, y, width, TASK_HEIGHT, lines=(on.command,), inside=pool)
        for catch in catches:
            middle = catch.middle[1]
            scene.connect(s.FLOW, catch, task, [(x + EVENT, middle), (spine, middle), (spine, y)], inside=pool)
        y += TASK_HEIGHT + 12
        source, bottom = task, task.y + TASK_HEIGHT
        if len(on.outcomes) > 1:
            source = scene.add(s.CHOICE, spine - GATEWAY // 2, y, GATEWAY, GATEWAY, inside=pool)
            scene.connect(s.FLOW, task, source, [(spine, bottom), (spine, y)], inside=pool)
            bottom = y + GATEWAY
            y += GATEWAY + 6
        for event in on.outcomes:
            thrown = self._throw(on.service, event, x + 70, y)
            middle = thrown.middle[1]
            scene.connect(s.FLOW, source, thrown, [(spine, bottom), (spine, middle), (x + 70, middle)], inside=pool)
            y += ROW
        return y + 16

    def _throw(self, service: str, event: str, x: int, y: int) -> Shape:
        heard = event in self._chain.heard()
        at = (x + EVENT + 6, y + (EVENT // 2 - 5 if heard else 22))
        thrown = self._scene.add(s.MESSAGE_END, x, y, EVENT, EVENT, label=event, label_at=at, message=event,
                                 inside=self._pool[service])  # fmt: skip
        self._thrown.setdefault(event, []).append((thrown, service))
        return thrown

    def _ways(self) -> None:
        """Each event from whoever publishes it to whoever hears it: along its own height, then down a gutter."""
        for event, catch, service in self._heard:
            for thrown, publisher in self._thrown.get(event, ()):
                if publisher == service:
                    continue  # its own event: the two signs name the same message
                lane = self._left[service] - LANE * (1 + self._events_into(service).index(event))
                x, y = thrown.middle
                across = [(thrown.x + EVENT, y), (lane, y)]
                if lane < x:  # back under itself, since its own service's way comes from there
                    across = [(x, thrown.y + EVENT), (x, thrown.y + EVENT + 5), (lane, thrown.y + EVENT + 5)]
                points = [*across, (lane, catch.middle[1]), (catch.x, catch.middle[1])]
                self._scene.connect(s.MESSAGE, thrown, catch, points)
