"""A profile for the codec `calibrated`, fitted to the crossings of unlabelled frames.

In closed form throughout (counts, means, ridge regression), so the same frames give the same profile, in seconds.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edge.calibration.fitting.context import fit_context
from edge.calibration.fitting.corrector import fit_corrector, fit_whole_corrector
from edge.calibration.fitting.frames import Frames
from edge.calibration.fitting.inter import fit_following
from edge.calibration.fitting.magnitudes import fit_magnitudes
from edge.calibration.fitting.positions import goes_by_position
from edge.calibration.fitting.reconstruction import fit_centroids, fit_usual, stood_for
from edge.calibration.fitting.step_sizes import scales_of
from shared.codecs.calibrated.context_model import passes_of
from shared.codecs.calibrated.grid import grid_shape
from shared.codecs.calibrated.native.tallies import Tallies
from shared.codecs.calibrated.profile import Profile
from shared.codecs.calibrated.quantiser import Quantiser, Reconstruction, scales
from shared.limits import MAX_LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge.calibration.fitting.inter import Runs
    from edge.calibration.importance import Importance

STEPS = (0.8, 1.2, 1.6, 2.0, 2.4, 2.8)
"""Step sizes for rectified feature maps."""
POOLED_STEPS = (0.3, 0.5, 0.7, 0.9, 1.2, 1.6)
"""Step sizes for vectors: a mean over positions has no neighbours that make up for an error."""
SIGNED_STEPS = (0.2, 0.3, 0.4, 0.55, 0.75, 1.0)
"""Step sizes for tensors that no rectifier has thinned out: their small values carry as much as their large ones."""
GENERIC = 2
"""Index of the preset for a profile fitted to drawn frames: a finer one than calibration usually recommends."""
_FURTHER = 1.4


@dataclass(frozen=True)
class Preset:
    """What is chosen before anything is fitted."""

    step: float = 2.0
    """Step size of a channel of average size, relative to the root mean square of all channels."""
    levels: int | None = None
    """Magnitudes that are told apart, 2 … MAX_LEVELS; None: as many as the values of the frames take."""
    groups: int = 4
    zone: float = 0.95
    """Dead zone, in step sizes."""
    context_rank: int = 64
    corrector_rank: int = 64


def presets(
    shapes: Sequence[tuple[int, ...]],
    *,
    signed: Sequence[bool],
    importances: Sequence[Importance] | None = None,
) -> list[tuple[Preset, ...]]:
    """The presets to try, from fine to coarse, each for all tensors of a crossing.

    How much a step size changes the answer depends on the kind of tensor. `shapes`: without the batch dimension. `signed`: whether a
    tensor has negative values.
    """
    pooled = [each.pooled for each in importances] if importances else [False] * len(shapes)
    kinds = [_presets(*kind) for kind in zip(shapes, signed, pooled, strict=True)]
    return list(zip(*kinds, strict=True))


def _presets(shape: tuple[int, ...], signed: bool, pooled: bool) -> list[Preset]:
    rows, columns, _ = grid_shape(shape)
    if pooled or rows * columns == 1:
        return [Preset(step=step) for step in POOLED_STEPS]
    if signed:
        return [Preset(step=step) for step in SIGNED_STEPS]
    return [Preset(step=step) for step in STEPS]


def finer(chosen: Sequence[Preset]) -> tuple[Preset, ...]:
    """Presets beyond the finest of the usual ones."""
    return tuple(replace(preset, step=preset.step / _FURTHER) for preset in chosen)


def coarser(chosen: Sequence[Preset]) -> tuple[Preset, ...]:
    """Presets beyond the coarsest of the usual ones."""
    return tuple(replace(preset, step=preset.step * _FURTHER) for preset in chosen)


def fit_profile(
    tensors: Sequence[NDArray[np.float32]] | NDArray[Any],
    preset: Preset,
    *,
    fingerprint: bytes,
    split_point: str,
    importance: Importance | None = None,
    about: dict[str, str] | None = None,
    given: int | None = None,
    runs: Runs | None = None,
) -> Profile:
    """`fit_crossing` where one tensor crosses: `tensors` are those of calibration frames, all of one shape."""
    return fit_crossing(
        [tensors],
        [preset],
        fingerprint=fingerprint,
        split_point=split_point,
        importances=[importance] if importance else None,
        about=about,
        given=given,
        runs=[runs] if runs else None,
    )


def fit_crossing(
    crossing: Sequence[Frames | Sequence[NDArray[np.float32]] | NDArray[Any]],
    chosen: Sequence[Preset],
    *,
    fingerprint: bytes,
    split_point: str,
    importances: Sequence[Importance] | None = None,
    about: dict[str, str] | None = None,
    given: int | None = None,
    format_1: bool = False,
    quick: bool = False,
    like: Profile | None = None,
    runs: Sequence[Runs] | None = None,
) -> Profile:
    """Fit a profile to all tensors of a split point.

    `crossing` has for each tensor those of all calibration frames, float32 of one shape, without the batch dimension; `chosen` and
    `importances` have one for each tensor. The first `given` frames (all, if not said) are in the order of time, and the camera may
    stand still in them; the others are variants. With `format_1` it holds only what every cloud can read, also those before 0.7.0. A `quick` fit
    looks at fewer places: frames take up to 2 % more bytes. `like` was fitted to the same frames with other step sizes: its predictions are taken over. `runs` has for each tensor
    those of frames that follow each other, which `calibrated-inter` is fitted to. The same input gives the same profile.
    """
    arrays: dict[str, NDArray[Any]] = {}
    strings: list[dict[str, str]] = []
    several = len(crossing) > 1
    pooled = [each.pooled for each in importances] if importances else [False] * len(crossing)
    given_frames = [
        each if isinstance(each, Frames) else Frames.of(each, pooled=mean)
        for each, mean in zip(crossing, pooled, strict=True)
    ]
    for number, (frames, preset) in enumerate(zip(given_frames, chosen, strict=True)):
        importance = importances[number] if importances else None
        options = _Options(given, format_1, quick, like.of_tensor(number).arrays if like else None)
        of_tensor, of_about = _fit_tensor(frames, preset, importance, options)
        if runs:
            of_tensor |= fit_following(of_tensor, of_about, frames.shape, runs[number])
        arrays |= {f"{number}.{name}" if several else name: array for name, array in of_tensor.items()}
        strings.append(of_about)
    return Profile.make(
        arrays,
        fingerprint=fingerprint,
        split_point=split_point,
        shapes=[frames.shape for frames in given_frames],
        about={
            **(about or {}),
            **{key: ";".join(each[key] for each in strings) for key in strings[0]},
            "importance": importances[0].how if importances else "none",
            "frames": str(len(given_frames[0].grids)),
            **({"inter_frames": str(sum(map(len, runs[0])))} if runs else {}),
        },
    )


class _Options(NamedTuple):
    given: int | None
    format_1: bool
    quick: bool
    like: Mapping[str, NDArray[Any]] | None


def _fit_tensor(
    found: Frames, preset: Preset, importance: Importance | None, options: _Options
) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The arrays of one tensor, and what a profile says of it in words."""
    frames, signed = found.grids, found.signed
    given, format_1, quick, like = options
    grid = rows, columns, channels = frames.shape[1:]
    arrays = scales_of(found, preset.step, importance)
    groups = min(preset.groups, channels)
    passes = passes_of(rows, columns, channels, groups)
    arrays["zone"] = np.array([preset.zone], np.float32)
    levels = preset.levels or _levels(arrays, frames, signed=signed)
    quantiser = Quantiser(arrays, grid, levels, signed=signed)
    tallies = Tallies.of(grid, levels)
    symbols = [quantiser(frame, tallies) for frame in frames]
    magnitudes = np.stack([found.magnitudes for found in symbols])
    by_position = not format_1 and goes_by_position(magnitudes[:given])
    seen = magnitudes[:given] if by_position else magnitudes
    with ThreadPoolExecutor(1) as beside:  # neither half needs anything of the other
        context = beside.submit(
            fit_context,
            seen,
            [each.canvas for each in symbols[: len(seen)]],
            passes,
            preset.context_rank,
            np.random.default_rng(0),
            by_position=by_position,
            quick=quick,
            like=like,
        )
        arrays |= fit_magnitudes(seen, passes, levels, by_position=by_position, by_size=not format_1)
        scaled = (stood_for(quantiser, *each) for each in zip(frames, symbols, strict=True))
        arrays["centroid"] = fit_centroids(scaled, symbols, levels)
        decoder = Reconstruction(arrays, grid, levels, signed=signed)
        if preset.corrector_rank and channels > 1:
            count = len(frames) if given is None else given
            fit = fit_corrector if format_1 else fit_whole_corrector
            rank = preset.corrector_rank * (
                2 if format_1 else 1
            )  # directions of values are worth less than of step sizes
            arrays |= fit(frames, symbols, decoder, rank, count, quick=quick)
            decoder = Reconstruction(arrays, grid, levels, signed=signed)
        if by_position:
            arrays |= fit_usual(frames[:given], symbols[:given], decoder, scales(arrays, grid)[0])
        arrays |= context.result()
    return arrays, {
        "levels": str(levels),
        "groups": str(groups),
        "signed": str(int(signed)),
        "pooled": str(int(importance is not None and importance.pooled)),
        "step": f"{preset.step:.4g}",
    }


def _levels(arrays: dict[str, NDArray[Any]], frames: NDArray[np.float32], *, signed: bool) -> int:
    """As many as the largest magnitude takes, 2 … MAX_LEVELS. Channels that would take more get a coarser step: clipping is worse."""
    quantiser = Quantiser(arrays, frames.shape[1:], MAX_LEVELS, signed=signed)
    most = np.max([quantiser.scale(frame)[0].max((0, 1)) for frame in frames], axis=0) + 1
    arrays["step"] = arrays["step"] * np.maximum(most / MAX_LEVELS, 1).astype(np.float32)
    return int(min(max(most.max() + 1, 2), MAX_LEVELS))
