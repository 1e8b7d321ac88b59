"""What the tests of the edge share: runs with sources and uplinks that do as they are told."""

from __future__ import annotations

import asyncio
import re
import threading
import time

import numpy as np
from kits.tiny import SIDE, plan_of, tiny_model

from edge.cameras.camera import Camera
from edge.cameras.file import read_cameras
from edge.cameras.metrics import CameraMetrics
from edge.config import EdgeSettings
from edge.frames.pipeline import Pipeline
from edge.frames.preprocess import Preprocess
from edge.frames.way import Edition, Editions
from edge.metrics import DEFAULT_CAMERA, EdgeMetrics
from edge.output.results import Record
from edge.planning.pace import Pace
from edge.planning.pinned import PinnedPilot
from edge.planning.plan_metrics import PlanMetrics
from edge.sources.base import Shot
from edge.uplink.circuit import Circuit
from edge.uplink.reply import Reply
from shared.codecs import decode_frame
from shared.errors import UplinkError
from shared.network.recipes.resize import fit_picture
from shared.tasks.classify import Classes
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted
from shared.wire import frame as wire


def same_answer(top, expected):
    """Same classes in the same order, and as probable, but for the last rounding."""
    for name in ("class_id", "label"):
        assert [each[name] for each in top] == [each[name] for each in expected]
    found, wanted = ([each["probability"] for each in answer] for answer in (top, expected))
    np.testing.assert_allclose(found, wanted, atol=2e-6)
    return True


def settings_of(**changes):
    return EdgeSettings(
        **({"model": "resnet18", "weights": "random", "queue_size": 2, "in_flight": 3} | changes)
    )


OF_A_CAMERA = re.compile(
    "frames_total|fallbacks_total|frame_latency|source_|last_frame|camera_running|undecodable|damaged|plan_info|plan_switches|"
    "predicted_latency|measured_latency"
)


def value(metrics, name, **labels):
    """A metric; the default camera's, if it is one of cameras."""
    if OF_A_CAMERA.match(name):
        labels = {"camera": DEFAULT_CAMERA} | labels
    return metrics.registry.get_sample_value(f"splitdnn_edge_{name}", labels)


def record(number=0, *, top=({"class_id": 7, "label": "cock", "probability": 0.875},), **changes):
    fields = {
        "camera": "camera",
        "source": "fake",
        "file": None,
        "frame": number,
        "media_time_s": None,
        "damaged": False,
        "frame_id": f"{number:016x}",
        "time": "2026-01-02T03:04:05.678+00:00",
        "network": "0123456789abcdef",
        "split_point": "layer3",
        "codec": "int8+zstd",
        "payload_bytes": 79_500,
        "latency_ms": 40.0,
        "stages_ms": {"head": 12.5},
        "answered_by": "cloud",
        "cloud": "http://cloud:8881",
        "repeats": None,
        "changed": None,
        "fallback": None,
        "answer": Classes(tuple(top)),
    }
    return Record(**(fields | changes))


class FakeSource:
    """Gives `items` in order, then None; an exception among them is raised, an Event waited for."""

    name = "fake"

    def __init__(self, items, *, live=False):
        self.live = live
        self.given = 0
        self.ended = threading.Event()
        self.closed = False
        self._items = iter(items)

    def read(self):
        for item in self._items:
            if isinstance(item, threading.Event):
                item.wait(60)
                continue
            if isinstance(item, Exception):
                self.ended.set()
                raise item
            self.given += 1
            return item if isinstance(item, Shot) else Shot(item, self.given - 1)
        self.ended.set()
        return None

    def close(self):
        self.closed = True


def pictures(count, seed=0):
    """`count` BGR frames that differ; endless for None."""
    generator = np.random.default_rng(seed)
    number = 0
    while count is None or number < count:
        yield generator.integers(0, 256, (SIDE + 2, SIDE + 4, 3), dtype=np.uint8)
        number += 1


class FakeUplink:
    """Answers as the cloud would, or as `outcomes[frame number]` says: a reason, `slow`, `raises`, an asyncio.Event."""

    def __init__(self, model=None, outcomes=(), top=5):
        self.model = model or tiny_model()
        self.task = make_task(self.model, Wanted(top))
        self.outcomes = dict(enumerate(outcomes)) if not isinstance(outcomes, dict) else outcomes
        self.frames = []
        self.circuit = Circuit(EdgeMetrics().circuit_state, time.monotonic)

    async def ask(self, data, profile=None):
        frame = wire.unpack(data)
        self.frames.append(frame)
        number = frame.frame_id & 0xFFFFFFFF
        outcome = self.outcomes.get(number, "good")
        if isinstance(outcome, asyncio.Event):
            await outcome.wait()
        elif outcome == "slow":
            await asyncio.sleep(0.001 * (number * 7 % 5))
        elif outcome == "raises":
            raise RuntimeError("a bug in the uplink")
        elif outcome != "good":
            await asyncio.sleep(0)
            raise UplinkError(outcome, "as the test says")
        outputs = self._tail(frame)
        return Reply(self.task.answer(tuple(each[0] for each in outputs)), {"tail": 1.5})

    def _tail(self, frame):
        arrays = self._decode(frame)
        if arrays[0].dtype == np.uint8:
            (array,) = arrays
            if array.shape != self.model.recipe.picture_shape:
                array = fit_picture(array, self.model.recipe)
            arrays = (self.model.recipe.normalise(array),)
        return self._half(frame.split_point)(tuple(each[None] for each in arrays))

    def _decode(self, frame):
        return decode_frame(frame)

    def _half(self, split_point):
        return plan_of(self.model, split_point, "float32").tail


class Run:
    """A pipeline with everything around it."""

    def __init__(
        self,
        source,
        uplink=None,
        *,
        model=None,
        plan=None,
        preprocess=None,
        sinks=(),
        session=0xABCD,
        verifier=None,
        look=None,
        split_point="relu",
        codec="float32",
        **settings,
    ):
        self.model = model or tiny_model()
        self.metrics = EdgeMetrics()
        self.records = []
        self.source = source
        chosen = settings_of(**settings)
        self.uplink = uplink or FakeUplink(self.model, top=chosen.top)
        self.plan = plan or plan_of(self.model, split_point, codec)
        pilot = PinnedPilot(self.plan, PlanMetrics(self.metrics))
        preprocess = preprocess or Preprocess(self.model.recipe)
        task = make_task(self.model, Wanted(chosen.top, chosen.threshold))
        (own,) = read_cameras(chosen)
        streams = None if callable(getattr(self.uplink, "room", print)) else self.uplink
        edition = Edition(self.model, task, preprocess, pilot, self.uplink, streams=streams)
        self.editions = Editions({own.name: edition})
        self.camera = Camera(
            own, source, [self.records.append, *sinks], CameraMetrics(self.metrics, own.name), session
        )
        self.pipeline = Pipeline(
            [self.camera],
            self.editions,
            self.uplink.circuit,
            self.metrics,
            in_flight=chosen.in_flight,
            heads=chosen.head_workers,
            pace=Pace({own.name: source.live}),
            verifier=verifier(self.metrics) if verifier else None,
            look=look,
        )

    def to_end(self):
        """Run it in a loop of its own; whatever is left behind then is a failure."""
        asyncio.run(self.within())
        return self.records

    async def within(self):
        """Run it, at most a minute."""
        before = asyncio.all_tasks()
        try:
            await asyncio.wait_for(self.pipeline.run(), 60)
        finally:
            assert not {task for task in asyncio.all_tasks() - before if not _is_session(task)}, (
                "a task is left"
            )
            assert not [thread for thread in threading.enumerate() if thread.name.startswith("capture")]

    def answered_by(self):
        return [each.answered_by for each in self.records]

    def count(self, name, **labels):
        return value(self.metrics, name, **labels)


def _is_session(task):
    """Whether it is the uplink's, with which it ends, and no frame's."""
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and "/uplink/session/" in code.co_filename
