"""Records as a run's cameras give them, drawn at random: two that classify and two that detect, ten frames a second each."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from edge.output.results import Record
from shared.tasks.classify import Classes
from shared.tasks.detection.boxes import Box, Boxes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shared.tasks.base import Answer

CLASSIFYING, DETECTING = ("door", "desk"), ("yard", "street")
CAMERAS = (*CLASSIFYING, *DETECTING)
_FPS = 10
_LABELS = ("person", "car", "dog", "bicycle", "tabby cat", "Straße")
_SIZE = (640, 480)
_CHANGES, _FLICKERS = 0.02, 0.05
"""How many of a classifier's frames begin another class that stays, and how many show another one alone, 0 to 1."""
_APPEARS, _LEAVES, _MISSED = 0.03, 0.01, 0.05
"""For each frame of a detector, and for each of its objects."""
_MOST = 12
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class _Object:
    class_id: int
    x: float
    y: float
    right: float
    down: float


class _Scene:
    """What one camera looks at."""

    def __init__(self, camera: str, draw: random.Random) -> None:
        self._draw, self._classifies = draw, camera in CLASSIFYING
        self._class = 0
        self._objects: list[_Object] = []

    def answer(self) -> Answer:
        return self._classes() if self._classifies else self._boxes()

    def _classes(self) -> Classes:
        draw = self._draw
        if draw.random() < _CHANGES:
            self._class = draw.randrange(len(_LABELS))
        shown = draw.randrange(len(_LABELS)) if draw.random() < _FLICKERS else self._class
        probability = round(draw.uniform(0.5, 1.0), 6)
        return Classes(({"class_id": shown, "label": _LABELS[shown], "probability": probability},))

    def _boxes(self) -> Boxes:
        draw = self._draw
        self._objects = [each for each in self._objects if draw.random() >= _LEAVES]
        if len(self._objects) < _MOST and draw.random() < _APPEARS:
            speed = draw.uniform(-3, 3), draw.uniform(-3, 3)
            class_id = draw.randrange(len(_LABELS))
            self._objects.append(_Object(class_id, draw.uniform(0, 500), draw.uniform(0, 300), *speed))
        boxes = []
        for each in self._objects:
            each.x, each.y = each.x + each.right, each.y + each.down
            if draw.random() >= _MISSED:
                corners = (each.x, each.y, each.x + 90, each.y + 120)
                made = tuple(round(corner + draw.uniform(-2, 2), 2) for corner in corners)
                score = round(draw.uniform(0.4, 1.0), 4)
                boxes.append(Box(each.class_id, _LABELS[each.class_id], score, made))  # type: ignore[arg-type]
        return Boxes(tuple(sorted(boxes, key=lambda box: -box.score)), _SIZE)


def draw_records(frames: int, seed: int) -> Iterator[Record]:
    """So many of one run, of all cameras in turn."""
    draw = random.Random(seed)  # noqa: S311 - nothing secret
    scenes = {camera: _Scene(camera, draw) for camera in CAMERAS}
    for count in range(frames):
        camera, number = CAMERAS[count % len(CAMERAS)], count // len(CAMERAS)
        yield record_of(
            {
                "camera": camera,
                "frame": number,
                "media_time_s": number / _FPS,
                "frame_id": f"{draw.getrandbits(64):016x}",
                "time": (_BEGIN + timedelta(seconds=number / _FPS)).isoformat(timespec="milliseconds"),
            },
            scenes[camera].answer(),
        )


def record_of(own: Mapping[str, Any], answer: Answer) -> Record:
    """With what matters to events; the rest is the same for all."""
    return Record(
        **own,
        source="drawn",
        file=None,
        damaged=False,
        network="0123456789abcdef",
        split_point="layer3",
        codec="int8+zstd",
        payload_bytes=20_000,
        latency_ms=40.0,
        stages_ms={},
        answered_by="cloud",
        cloud="http://cloud:8881",
        repeats=None,
        changed=None,
        fallback=None,
        answer=answer,
    )
