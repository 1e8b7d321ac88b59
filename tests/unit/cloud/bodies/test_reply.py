"""Where the places in an answer are."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
from kits.detecting import SIZE, model

from cloud.access.clients import Account, Quota
from cloud.bodies.frames import Work
from cloud.bodies.reply import Composer
from cloud.metrics import CloudMetrics
from shared.observing.telemetry import Stopwatch
from shared.tasks.registry import make_task
from shared.tasks.spec import TaskSpec, Wanted

SPEC = TaskSpec("detect", "none", (("form", "rows"), ("threshold", 0.3)))


def test_boxes_are_in_the_pixels_of_a_picture_that_was_sent_and_else_of_the_networks_input() -> None:

    detector = model(SPEC)
    height, width = SIZE
    metrics = CloudMetrics()
    network: Any = SimpleNamespace(model=detector, task=lambda wanted: make_task(detector, wanted))
    networks: Any = SimpleNamespace(current=network)
    outputs = (np.array([[[10, 20, 30, 40, 0.9, 1]]], np.float32),)

    def boxes(source: tuple[int, int] | None) -> Any:
        composer = Composer(
            metrics.step_cpu,
            Account("somebody", Quota(1, 1), lambda: 0.0, lambda _: None),
            Stopwatch(metrics.steps, metrics.step_cpu),
            Wanted(),
            networks,
            {},
        )
        work = Work("input", (np.zeros((1, 3, height, width), np.float32),), source=source)
        return json.loads(composer.compose(network, work, outputs).body)

    as_it_is = boxes(None)
    assert (as_it_is["boxes"][0]["box"], as_it_is["size"]) == ([10, 20, 30, 40], [width, height])
    larger = boxes((2 * height, 3 * width))
    assert (larger["boxes"][0]["box"], larger["size"]) == ([30, 40, 90, 80], [3 * width, 2 * height])
