"""How finely each tensor of a crossing is quantised: the bits go where the answer gains most from them.

For every tensor a few step sizes are tried on some frames. Each costs an entropy (of the symbols of each channel) and leaves an error
(squares, weighted by importance, which is on one scale for all tensors). A crossing is coded well where one more bit would lower the
error equally in every tensor, so all step sizes follow one slope of error against entropy.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge.calibration.fitting.frames import Frames
from edge.calibration.fitting.step_sizes import scales_of
from shared.codecs.calibrated.quantiser import Quantiser
from shared.limits import MAX_LEVELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.calibration.fit import Preset
    from edge.calibration.importance import Importance

FACTORS = 2.0 ** (np.arange(-6, 7) / 2)
"""Step sizes that are tried, as multiples of the preset's: an eighth to eight times."""
_MAX_FRAMES = 24
_HALVINGS = 60
_SMALLEST = 1e-300


class Curve(NamedTuple):
    """What the step sizes cost and leave in one tensor, a value for each of FACTORS."""

    bits: NDArray[np.float64]
    """The entropy of one frame's symbols."""
    error: NDArray[np.float64]
    elements: int


def balanced(
    crossing: Sequence[Sequence[NDArray[np.float32]]],
    chosen: Sequence[Preset],
    importances: Sequence[Importance] | None,
) -> list[Preset]:
    """The presets of a crossing's tensors, their step sizes shifted against each other; all together they are as fine as before.

    `crossing` has for each tensor those of all frames, without the batch dimension. One tensor, or tensors of unknown importance,
    keep their presets.
    """
    if len(crossing) == 1 or importances is None:
        return list(chosen)
    curves = [
        _curve(tensors, preset, importance)
        for tensors, preset, importance in zip(crossing, chosen, importances, strict=True)
    ]
    return [
        replace(preset, step=preset.step * factor)
        for preset, factor in zip(chosen, shares(curves), strict=True)
    ]


def shares(curves: Sequence[Curve]) -> list[float]:
    """The factor of each tensor's step size at which all curves have the same slope, their mean 1 over all elements (geometric)."""
    slopes = [_slopes(curve) for curve in curves]
    weights = np.array([curve.elements for curve in curves]) / sum(curve.elements for curve in curves)
    low, high = min(float(each.min()) for each in slopes), max(float(each.max()) for each in slopes)
    logs = np.zeros(len(curves))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        logs = np.array([np.interp(middle, each, np.log(FACTORS)) for each in slopes])
        if float(weights @ logs) < 0:
            low = middle
        else:
            high = middle
    found: list[float] = np.exp(logs - weights @ logs).tolist()
    return found


def _slopes(curve: Curve) -> NDArray[np.float64]:
    """The logarithm of the error that one bit less adds at each of FACTORS; it only rises."""
    errors, bits = np.gradient(curve.error), -np.gradient(curve.bits)
    slope = np.log(np.maximum(errors, _SMALLEST) / np.maximum(bits, 1e-6 * curve.elements))
    # Far out a tensor has nothing left to lose. Ties would make the share ambiguous, so it rises a little everywhere.
    risen: NDArray[np.float64] = np.maximum.accumulate(slope) + 1e-6 * np.arange(len(slope))
    return risen


def _curve(tensors: Sequence[NDArray[np.float32]], preset: Preset, importance: Importance) -> Curve:
    some = tensors[:: max(1, len(tensors) // _MAX_FRAMES)]
    signed = bool(min(float(tensor.min()) for tensor in tensors) < 0)
    found = Frames.of(some, pooled=importance.pooled, signed=signed)
    frames = found.grids
    weight = importance.worth * _even(importance.channels)[None, None]
    if importance.pooled:  # an error of the mean is one in every position
        weight = weight * np.float32(np.prod(importance.positions.shape))
    else:
        weight = weight * _even(importance.positions)[:, :, None]
    levels = preset.levels or MAX_LEVELS
    bits, errors = [], []
    for factor in FACTORS:
        arrays = scales_of(found, preset.step * factor, importance)
        arrays["zone"] = np.array([preset.zone], np.float32)
        quantiser = Quantiser(arrays, frames.shape[1:], levels, signed=signed)
        scaled = [quantiser.scale(frame)[0] for frame in frames]
        symbols = np.stack([quantiser.magnitudes(each) for each in scaled])
        values = np.stack(scaled)
        bits.append(_entropy(symbols, levels) + (float((symbols > 0).sum()) if signed else 0.0))
        count = np.maximum(np.bincount(symbols.ravel(), minlength=levels), 1)
        centroids = np.bincount(symbols.ravel(), weights=values.ravel(), minlength=levels) / count
        left = (values - centroids[symbols]) * (arrays["position_scale"][:, :, None] * arrays["step"])
        errors.append(float((left**2 * weight).sum()))
    return Curve(np.array(bits) / len(frames), np.array(errors) / len(frames), frames[0].size)


def _entropy(symbols: NDArray[np.uint8], levels: int) -> float:
    """Bits of all symbols (frames, rows, columns, channels), each channel with a table of its own."""
    channels = symbols.shape[3]
    key = symbols.reshape(-1, channels).astype(np.intp) + levels * np.arange(channels)
    counts = np.bincount(key.ravel(), minlength=levels * channels).reshape(channels, levels)
    share = counts / counts.sum(1, keepdims=True)
    return float(-(counts * np.log2(np.where(share > 0, share, 1.0))).sum())


def _even(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The values divided by their mean."""
    mean = float(values.mean())
    return values / np.float32(mean) if mean > 0 else np.ones_like(values)
