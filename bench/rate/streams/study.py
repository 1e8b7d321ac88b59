"""A session of one clip by every setting at once: profiles are fitted, then some frames after others travel in all ways.

So only a few frames' tensors are in memory: the crossings of a whole session at layer3 of ResNet-50 would take half a gigabyte.
"""

from __future__ import annotations

from itertools import count, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.rate.streams.outcome import Base, Outcome
from bench.rate.streams.plan import CAMERA, INTER
from bench.rate.streams.session import Session
from edge.calibration.fit import Preset, fit_profile
from edge.calibration.importance import measure_importance
from edge.calibration.pictures import variants
from edge.frames.preprocess import Preprocess
from shared.codecs import make_codec
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.profile import Profile
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from bench.harness.network import Network
    from bench.rate.streams.plan import Setting
    from shared.codecs import Codec
    from shared.engines import Engine
    from shared.engines.half import Half

BATCH = 8
"""Frames in one run of a tail."""


class Cut(NamedTuple):
    """One split point, compiled."""

    head: Half
    tail: Half
    tail_share: float


class Way(NamedTuple):
    """One setting under way."""

    session: Session
    outcome: Outcome


class Study:
    """A network, cut at some split points."""

    def __init__(self, network: Network, engine: Engine, points: Sequence[str]) -> None:
        """Raises SplitPointError, EngineError; ValueError where several tensors cross."""
        self._network, self._engine = network, engine
        self._prepare = Preprocess(network.model.recipe)
        self._camera = Preprocess(network.model.recipe, source_size=True)
        self._whole = engine.head(network.partition.point(OUTPUT))
        self._cuts = {name: self._cut(name) for name in (INPUT, *points)}

    def _cut(self, name: str) -> Cut:
        point = self._network.partition.point(name)
        if len(point.shapes) > 1:
            raise ValueError(f"{len(point.shapes)} tensors cross at {name}; streams are sent where one does")
        share = point.tail_macs / max(1, point.head_macs + point.tail_macs)
        return Cut(self._engine.head(point), self._engine.tail(point), share)

    def prepared(self, frames: Iterable[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        """Frames as the network takes them."""
        return [self._prepare(frame) for frame in frames]

    def profiles(
        self,
        settings: Sequence[Setting],
        calibrating: Sequence[NDArray[np.uint8]],
        runs: Sequence[Sequence[NDArray[np.uint8]]],
        step: Callable[[str], object],
    ) -> dict[tuple[str, float], Profile]:
        """A profile for each split point and step size, fitted to prepared pictures in the order of time.

        `runs` are frames that follow each other, several times, for what a codec predicts from one to the next.
        """
        found: dict[tuple[str, float], Profile] = {}
        for name, cut in self._cuts.items():
            wanted = [setting for setting in settings if setting.split_point == name and setting.step]
            if not wanted:
                continue
            step(f"{name}: importance of channels and positions")
            point = self._network.partition.point(name)
            tensors = list(self._crossing(cut, calibrating))
            (importance,) = measure_importance(self._network.bundle, point, cut.tail, [tensors])
            extra = list(self._crossing(cut, variants(calibrating)))
            inter = any(setting.codec == INTER for setting in wanted)
            following = [list(self._crossing(cut, run)) for run in runs] if inter else None
            for size in dict.fromkeys(setting.step for setting in wanted if setting.step):
                step(f"{name}: fitting step={size:g}")
                found[name, size] = fit_profile(
                    tensors + extra,
                    Preset(step=size),
                    fingerprint=self._network.model.fingerprint,
                    split_point=name,
                    importance=importance,
                    given=len(tensors),
                    runs=following,
                )
        return found

    def run(
        self,
        settings: Sequence[Setting],
        profiles: dict[tuple[str, float], Profile],
        frames: Iterator[NDArray[np.uint8]],
        step: Callable[[str], object],
    ) -> list[Outcome]:
        """Send the frames, (H, W, 3) BGR, by every setting. Raises WireError, StreamError."""
        base = Base()
        ways = [self._way(setting, profiles, base) for setting in settings]
        for first in count(0, BATCH):
            some = list(islice(frames, BATCH))
            if not some:
                break
            step(f"frames from {first}")
            prepared = self.prepared(some)
            pictures = {
                name: self._inputs(cut, prepared) for name, cut in self._cuts.items() if name != INPUT
            }
            (unsplit, *_) = self._whole((self._normalised(prepared),))
            base.add(unsplit)
            own = [self._camera.outgoing(*each) for each in zip(some, prepared, strict=True)]
            for way in ways:
                setting = way.outcome.setting
                arrays: Sequence[NDArray[Any]] | NDArray[Any]
                if setting.split_point == INPUT:
                    arrays = own if setting.size == CAMERA else prepared
                else:
                    arrays = pictures[setting.split_point]
                sent = [way.session.send(array) for array in arrays]
                for each in sent:
                    way.outcome.sent(each)
                tail = self._cuts[setting.split_point].tail
                (logits, *_) = tail((np.concatenate([each.tensor for each in sent]),))
                way.outcome.answered(unsplit, logits)
        return [way.outcome for way in ways]

    def _way(self, setting: Setting, profiles: dict[tuple[str, float], Profile], base: Base) -> Way:
        profile = profiles[setting.split_point, setting.step] if setting.step else None
        encoder, decoder = codecs_of(setting, profile)
        session = Session(encoder, decoder, setting.split_point, self._network.model)
        share = self._cuts[setting.split_point].tail_share
        return Way(session, Outcome(setting, base, share, encoder.inter))

    def _normalised(self, prepared: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return np.stack([self._network.model.recipe.normalise(picture) for picture in prepared])

    def _inputs(self, cut: Cut, prepared: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        (crossing,) = cut.head((self._normalised(prepared),))
        return crossing

    def _crossing(self, cut: Cut, pictures: Sequence[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        for picture in pictures:
            yield self._inputs(cut, [picture])[0]


def codecs_of(setting: Setting, profile: Profile | None) -> tuple[Codec, Codec]:
    """The codec of the edge and that of the cloud; of a profile they share the bytes. Raises SettingsError."""
    encoder, decoder = make_codec(setting.spec), make_codec(setting.codec)
    if profile is None:
        return encoder, decoder
    assert isinstance(encoder, Calibrated)
    assert isinstance(decoder, Calibrated)
    return encoder.bind(profile), type(decoder).reader(Profile.from_bytes(profile.data))
