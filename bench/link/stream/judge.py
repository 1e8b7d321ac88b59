"""What the cloud's answers should have been: every frame that was sent is coded once more, on this machine and over no link.

The symbols of a frame are the same wherever they are computed, so the bytes must be as many as the edge recorded, and the answer must be
the one that the cloud gave. A frame whose bytes differ in number was coded from another state, and is not judged, but counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.link.stream.choices import Choice
from bench.link.stream.replay import Replay, kept
from edge.calibration.fit import Preset, fit_crossing
from edge.calibration.importance import measure_importance
from edge.calibration.pictures import variants
from edge.calibration.trials import cross
from edge.frames.preprocess import Preprocess
from edge.planning.plan import make_plan
from shared.codecs.calibrated.profile import Profile
from shared.codecs.registry import make_codec
from shared.network.partition import OUTPUT
from shared.tasks.classify import top_classes
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted
from shared.wire.frame import pack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from bench.harness.network import Network
    from bench.link.stream.clip import Clip
    from edge.planning.plan import Plan
    from shared.engines.half import Tensors

_FIT_TO = 150
_RUNS, _RUN, _SENT_PER_S = 4, 30, 12
"""How many, how long, and at which rate, about: what follows each other is fitted to such pictures."""
_CLOSE = 0.005
"""Batches round otherwise in float32 too, and a binary answer rounds to 1/65535: within this a probability is the same."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One frame that was encoded, in the order of encoding."""

    picture: int
    """Its number in the clip's file."""
    payload_bytes: int
    top: tuple[int, float] | None = None
    """Class and probability of the cloud's answer; None if it did not answer, or not with classes."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of it now."""

    same_bytes: bool
    divergence: float | None = None
    """From the unsplit network; None if it was not judged."""
    agrees: bool | None = None
    wrong: bool = False
    """Whether the cloud answered something else than these symbols say."""


class Judge:
    """Works in a process of its own, see `bench.harness.worker`."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._engine = network.engine()
        self._task = make_task(network.model, Wanted(1))
        self._whole = self._engine.head(network.partition.point(OUTPUT))
        self._clip: Clip | None = None
        self._frames: list[NDArray[np.uint8]] = []
        self._outputs: dict[int, Tensors] = {}
        self._crossings: dict[tuple[str, int], Tensors] = {}
        """As the outputs, kept by picture: the clip's come again and again."""

    def watch(self, clip: Clip) -> None:
        """Take its pictures for what follows."""
        self._clip, self._frames = clip, clip.pictures()
        self._outputs, self._crossings = {}, {}

    def macs(self, point: str) -> float:
        """The share of the network's multiplications that is left to the cloud there."""
        at = self._network.partition.point(point)
        return at.tail_macs / max(1, at.head_macs + at.tail_macs)

    def fit(self, text: str, path: Path) -> None:
        """Write the profile for a choice, fitted to the part of the clip that is not played."""
        assert self._clip is not None, "watch() comes first"
        choice, recipe = Choice.read(text), self._network.model.recipe
        assert choice.step is not None, "only a fitted codec has a profile"
        point = self._network.partition.point(choice.point)
        head, tail = self._engine.head(point), self._engine.tail(point)
        given = self._frames[: self._clip.begin] or self._frames
        prepare = Preprocess(recipe)
        pictures = [prepare(frame) for frame in given[:: max(1, len(given) // _FIT_TO)]]
        crossing = cross(point, recipe, head, pictures)
        extra = cross(point, recipe, head, variants(pictures))
        runs = None
        if make_codec(choice.codec).inter:
            following = [cross(point, recipe, head, list(map(prepare, run))) for run in self._runs(given)]
            runs = [list(each) for each in zip(*following, strict=True)]
        profile = fit_crossing(
            [[*tensors, *more] for tensors, more in zip(crossing, extra, strict=True)],
            [Preset(step=choice.step)] * len(point.shapes),
            fingerprint=self._network.model.fingerprint,
            split_point=point.name,
            importances=measure_importance(self._network.bundle, point, tail, crossing),
            given=len(pictures),
            runs=runs,
        )
        path.write_bytes(profile.data)

    def _runs(self, given: Sequence[NDArray[np.uint8]]) -> list[Sequence[NDArray[np.uint8]]]:
        """Pictures that follow each other about as fast as an edge sends them, from several places."""
        assert self._clip is not None, "watch() comes first"
        every = max(1, round(self._clip.own_fps / _SENT_PER_S))
        length = min(len(given), every * _RUN)
        starts = np.linspace(0, len(given) - length, _RUNS).astype(int)
        return [given[start : start + length : every] for start in dict.fromkeys(starts.tolist())]

    def sample(self, text: str, profile: Path | None) -> bytes:
        """A frame of a choice for `POST /model`, that the cloud compiles what it needs before anything is counted."""
        choice = Choice.read(text)
        plan = self._plan(choice, profile)
        replay = Replay(self._network, plan, self._crossings, source_size=choice.source_size)
        return pack(replay.first(0, self._frames[0]))

    def judge(self, text: str, profile: Path | None, sent: Sequence[Sent]) -> list[Judged]:
        """One for each frame that was sent."""
        return list(self._judged(Choice.read(text), profile, sent))

    def _judged(self, choice: Choice, profile: Path | None, sent: Sequence[Sent]) -> Iterator[Judged]:
        plan = self._plan(choice, profile)
        replay = Replay(self._network, plan, self._crossings, source_size=choice.source_size)
        pictures = [self._frames[frame.picture] for frame in sent]
        forgets = replay.forgets(
            [(picture, frame.payload_bytes) for picture, frame in zip(pictures, sent, strict=True)]
        )
        known: dict[tuple[int, int], Tensors | None] = {}
        inter = plan.codec is not None and plan.codec.inter
        for place, frame in enumerate(sent):
            key = frame.picture, frame.payload_bytes
            if inter or key not in known:  # the same picture is coded otherwise after another one
                tensors = replay.run(
                    frame.picture, pictures[place], frame.payload_bytes, forgets=place in forgets
                )
                known[key] = None if tensors is None else kept(plan.tail(tensors))
            found = known[key]
            if found is None:
                yield Judged(same_bytes=False)
                continue
            expected = self._unsplit(frame.picture)
            yield Judged(
                same_bytes=True,
                divergence=float(self._task.divergence(expected, found)[0]),
                agrees=bool(self._task.agreement(expected, found).share >= 1),
                wrong=frame.top is not None and not _same(frame.top, found),
            )

    def _plan(self, choice: Choice, profile: Path | None) -> Plan:
        point = self._network.partition.point(choice.point)
        return make_plan(
            point, self._engine, choice.codec, lambda: Profile.from_bytes(Path(profile or "").read_bytes())
        )

    def _unsplit(self, picture: int) -> Tensors:
        if picture not in self._outputs:
            recipe = self._network.model.recipe
            tensor = recipe.normalise(Preprocess(recipe)(self._frames[picture]))[None]
            self._outputs[picture] = kept(self._whole((tensor,)))
        return self._outputs[picture]


def _same(top: tuple[int, float], outputs: Tensors) -> bool:
    """Whether the class that was answered is the first of these outputs, or as good as it."""
    values = outputs[0].reshape(-1)
    ranked = top_classes(values, [""] * len(values), len(values))
    found = {each["class_id"]: each["probability"] for each in ranked}
    answered, probability = top
    return (
        abs(found[answered] - probability) <= _CLOSE and ranked[0]["probability"] - found[answered] <= _CLOSE
    )
