"""Loads a network, lists where it can be cut, and cuts it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from edge.planning.plan import make_plan
from shared.engines import make_engine
from shared.engines.agreeing import check_agreement
from shared.engines.load import Network as Loaded
from shared.errors import SettingsError
from shared.network.choice import NAMED_SECONDS, NetworkChoice
from shared.network.find import find_bundle
from shared.network.partition import INPUT, OUTPUT
from shared.network.stage_ends import stage_ends
from shared.process.threads import available_cores
from splitdnn.split import SplitNetwork
from splitdnn.whole import WholeNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edge.calibration.calibration import Calibration
    from shared.codecs.calibrated.profile import Profile
    from shared.network.partition import SplitPoint

_ENGINES = ("auto", "torch", "openvino")
_PRECISIONS = ("auto", "float32", "bfloat16", "float16")
_HIGHEST = {"seed": 2**63 - 1, "threads": 1024}
"""As in shared/process/settings.py, which a library does without: it reads the environment."""


class Network(WholeNetwork):
    """One network and all places where it can be cut; made by `load_network`. May be used from several threads at once."""

    @property
    def points(self) -> tuple[SplitPoint, ...]:
        """All split points in the network's order, `input` first and `output` last."""
        return tuple(self._loaded.partition.points.values())

    @property
    def default_point(self) -> SplitPoint:
        """The split point that edge and cloud use when none is set: the smallest tensor with at most 85 % of the work before it."""
        return self._loaded.point

    def point(self, name: str) -> SplitPoint:
        """The split point of this name. Raises SplitPointError, which names the nearest."""
        return self._loaded.partition.point(name)

    def stage_ends(self) -> list[SplitPoint]:
        """The split points worth choosing from, in order: the ends of the network's stages, without `input` and `output`."""
        return stage_ends(self.points)

    def split(
        self,
        point: str | SplitPoint | None = None,
        codec: str | None = None,
        *,
        profile: Profile | None = None,
    ) -> SplitNetwork:
        """Cut the network at `point` (by default `default_point`), and send what crosses by `codec`.

        `codec` is a name with options, such as `int8+zstd:level=3`; by default `int8+zstd`, and `jpeg` at `input`. The codec
        `calibrated` needs the `profile` that was fitted for this network and split point. Compiles both halves on first
        use. Raises SplitPointError, or SettingsError for a codec that does not exist or is not one for this split point.
        """
        chosen = self._chosen(point)

        def require_profile() -> Profile:
            if profile is None:
                raise SettingsError(
                    "codec calibrated needs a profile: pass profile=, from calibrate() or a file"
                )
            wanted = self.fingerprint, chosen.name, chosen.shapes
            if (profile.fingerprint, profile.split_point, profile.shapes) != wanted:
                raise SettingsError(
                    f"the profile was fitted to the network {profile.fingerprint.hex()} at {profile.split_point}, "
                    f"not to {self.fingerprint.hex()} at {chosen.name}"
                )
            return profile

        return SplitNetwork(self._loaded, make_plan(chosen, self._loaded.engine, codec, require_profile))

    def calibrate(
        self,
        point: str | SplitPoint | None,
        pictures: Sequence[NDArray[np.uint8]],
        *,
        target_agreement: float = 0.95,
    ) -> Calibration:
        """Fit the codec `calibrated` at a split point (None: `default_point`) to pictures (H, W, 3) uint8 RGB, 24 or more.

        Three quarters are fitted to, the last quarter is measured: the profile is the one with the fewest bytes whose answers keep
        at least `target_agreement` (0 … 1) of the unsplit network's, as its task counts it (of classes the share of pictures with
        its top class, of boxes F1), or the one that comes nearest. All tensors that cross are fitted together. Takes
        seconds to minutes. Raises SplitPointError, ShapeError, or SettingsError where there is nothing to fit.
        """
        from edge.calibration.calibration import MIN_PICTURES, calibrate_on  # noqa: PLC0415 - brings OpenCV

        chosen = self._chosen(point)
        if chosen.name in (INPUT, OUTPUT):
            raise SettingsError(
                f"nothing to calibrate at {chosen.name}: choose a split point between the two ends"
            )
        if len(pictures) < MIN_PICTURES:
            raise SettingsError(f"{len(pictures)} pictures; calibrating takes at least {MIN_PICTURES}")
        prepared = [self._resize(picture) for picture in pictures]
        return calibrate_on(replace(self._loaded, point=chosen), prepared, target_agreement)

    def _chosen(self, point: str | SplitPoint | None) -> SplitPoint:
        if point is None:
            return self.default_point
        return self.point(point if isinstance(point, str) else point.name)


def load_network(
    model: str | Path = "resnet50",
    weights: str = "auto",
    *,
    seed: int = 0,
    labels: str | None = None,
    recipe: str | None = None,
    task: str | None = None,
    engine: Literal["auto", "torch", "openvino"] = "auto",
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    device: str = "cpu",
    threads: int = 0,
    cache_dir: str = "~/.cache/splitdnn",
) -> Network:
    """Read a bundle, or make that of any other source, and choose the engine that runs it. Takes seconds.

    Every argument is the setting of the same name: `model` is a bundle's folder or what a bundle is made of, `weights` is
    `auto`, a name of torchvision's weights API, the path of a state dict, or `random`; `labels` is a file with the classes'
    names; `recipe` changes the network's own (`size=320x240,fit=letterbox`); `task` says what the outputs mean
    (`detect:form=yolov8`); `threads` 0 means as many as the container's cores; `cache_dir` keeps bundles that were made, "" keeps none. Raises ModelError, SettingsError or EngineError,
    also for an int8 network that keeps too few answers on this processor: its float32 bundle lies beside it, in FOLDER.float.
    """
    _check_settings(engine, precision, seed=seed, threads=threads)
    choice = NetworkChoice(str(model), weights, seed, labels, recipe, task)
    bundle = find_bundle(choice, cache_dir, patience_s=NAMED_SECONDS)
    point = bundle.partition.default()
    made = make_engine(
        bundle,
        name=engine,
        precision=precision,
        device=device,
        threads=threads or available_cores(),
        cache_dir=cache_dir,
        point=point,
    )
    check_agreement(bundle, made, cache_dir)
    return Network(Loaded(bundle, point, made))


def _check_settings(engine: str, precision: str, **numbers: int) -> None:
    """Raise SettingsError for what the flags of these names would refuse."""
    for name, value, accepted in (("engine", engine, _ENGINES), ("precision", precision, _PRECISIONS)):
        if value not in accepted:
            raise SettingsError(f"{name}={value}; accepted: {', '.join(accepted)}")
    for name, number in numbers.items():
        if not isinstance(number, int) or not 0 <= number <= _HIGHEST[name]:
            raise SettingsError(f"{name}={number}; accepted: whole numbers from 0 to {_HIGHEST[name]}")
