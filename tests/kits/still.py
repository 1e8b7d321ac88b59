"""Still scenes: pictures, uplinks and runs that compare frames."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from kits.edge import FakeSource, FakeUplink, Run, pictures
from kits.tiny import plan_of, tiny_model

from edge.calibration.fit import Preset, fit_profile
from edge.frames.preprocess import Preprocess
from edge.metrics import FALLBACKS, OUTCOMES
from shared.codecs.calibrated.codec import Calibrated
from shared.wire import frame as wire

if TYPE_CHECKING:
    import asyncio

SCENES = list(pictures(4))
A, B = SCENES[:2]


@functools.cache
def profile():
    model = tiny_model()
    plan, preprocess = plan_of(model, "relu", "float32"), Preprocess(model.recipe)
    tensors = [
        plan.head((model.recipe.normalise(preprocess(frame))[None],))[0][0] for frame in pictures(20, seed=1)
    ]
    recipe = Preset(step=1.0, groups=2, context_rank=4, corrector_rank=2)
    return fit_profile(tensors, recipe, fingerprint=model.fingerprint, split_point="relu")


def calibrated_plan():
    plan = plan_of(tiny_model(), "relu", "float32")
    return replace(plan, codec=Calibrated(profile()), label="calibrated")


class CalibratedUplink(FakeUplink):
    """Decodes each frame by itself, with a codec that has seen no other."""

    def _tail(self, frame):
        (tensor,) = frame.tensors
        array = Calibrated(profile()).decode(tensor.params, tensor.payload, tensor.shape)
        return plan_of(self.model, frame.split_point, "float32").tail((array[None],))


class GatedUplink(FakeUplink):
    """Frame 0 waits for `gate`; then it is answered, or fails, as the others."""

    gate: asyncio.Event

    async def ask(self, data, profile=None):
        if wire.unpack(data).frame_id & 0xFFFFFFFF == 0:
            await self.gate.wait()
        return await super().ask(data, profile)


def still(frames, uplink=None, *, live=False, codec="int8", still_threshold=0.1, **changes):
    source = frames if isinstance(frames, FakeSource) else FakeSource(frames, live=live)
    return Run(source, uplink, codec=codec, still_threshold=still_threshold, **changes)


def consistent(run):
    """What holds of every run: in order, each repeating an answer that there was, and counted."""
    records = {each.frame: each for each in run.records}
    assert list(records) == sorted(records)
    for each in run.records:
        if each.answered_by == "still":
            assert records[each.repeats].answered_by == "cloud"
            assert each.repeats < each.frame
            assert each.repeats == max(n for n in records if n < each.frame and records[n].payload_bytes), (
                "what was sent last"
            )
            assert each.answer.top == records[each.repeats].answer.top
            assert (each.payload_bytes, each.fallback) == (0, None)
            assert not {"encode", "send", "tail"} & each.stages_ms.keys()
        else:
            assert each.repeats is None
    for outcome in set(OUTCOMES) - {"dropped", "failed"}:
        assert run.count("frames_total", outcome=outcome) == run.answered_by().count(outcome)
    for reason in FALLBACKS:
        assert run.count("fallbacks_total", reason=reason) == sum(
            each.fallback == reason for each in run.records
        )
    return run.answered_by()
