"""The context model of shared/codecs/calibrated/context_model.py, fitted to the symbols of calibration frames.

Each pass of the coder gets a ridge regression of "is not zero" on what the pass sees, reduced to its strongest directions
(reduced-rank regression: Izenman, 1975) and then rounded to whole numbers; then, for each kind of channel, number of own neighbours and
prediction, how often the symbol was not zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.calibration.fitting.positions import densities
from shared.codecs.calibrated.context_model import (
    CLASSES,
    EXACT,
    LATENT_LIMIT,
    MAX_AROUND,
    MAX_BESIDE,
    MAX_MAGNITUDE,
    OWN_KIND,
    OWN_KINDS,
    PREDICTIONS,
    Canvas,
    CodingPass,
    Weights,
    of_pass,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

PARTS = ("same", "around", "beside", "up", "bias", "shift")
"""The arrays of a pass's weights."""
_MAX_ROWS = 24_000
_QUICK_ROWS = 8_000
_KINDS = 10
_BINS = 32
_RIDGE = 2.0
_SAMPLE = 2000
_LEAST_RANGE = 0.2
_TOP = 0.999
"""The quantile of the predictions that the last level begins at."""
_FLOOR = 0.04
"""Added to every prediction, as a linear prediction of something rare is often below zero."""


def ladder(rows: int) -> NDArray[np.uint16]:
    """(CLASSES,) probabilities in 65536ths, evenly spaced in log-odds from 1/4000 to 4/5, or to 50/51 if they come from enough `rows`.

    What few rows make look certain is chance.
    """
    odds = np.exp(np.linspace(np.log(1 / 4000), np.log(50.0 if rows >= _MAX_ROWS else 4.0), CLASSES))
    frequencies: NDArray[np.float64] = np.round(65536 * odds / (1 + odds))
    return frequencies.astype(np.uint16)


def fit_context(
    magnitudes: NDArray[np.uint8],
    canvases: Sequence[Canvas],
    passes: list[CodingPass],
    rank: int,
    rng: np.random.Generator,
    *,
    by_position: bool = False,
    quick: bool = False,
    like: Mapping[str, NDArray[Any]] | None = None,
) -> dict[str, NDArray[Any]]:
    """The arrays of a context model, from (frames, rows, columns, channels) magnitudes and the same as canvases.

    `by_position`: how often a symbol is not zero is known for each position, not only for each channel. `quick`: from fewer frames.
    The weights of `like`, fitted to the same frames with another step size, are taken as they are: only what their predictions mean is
    fitted.
    """
    channels = magnitudes.shape[3]
    density = densities(magnitudes) if by_position else (magnitudes > 0).mean((0, 1, 2))
    edges = np.quantile(density, np.arange(1, _KINDS) / _KINDS)
    kinds = np.digitize(density, edges).astype(np.uint8)
    flat_kinds = kinds.reshape(-1, channels)
    rungs = ladder(magnitudes.shape[0] * magnitudes.shape[1] * magnitudes.shape[2])
    arrays: dict[str, NDArray[Any]] = {
        "channel_kind": kinds,
        "ladder": rungs,
    }
    for coding_pass in passes:
        # Positions of several frames tell more than as many positions of one frame.
        most = max(1, (_QUICK_ROWS if quick else _MAX_ROWS) // len(coding_pass.positions))
        frames = np.sort(rng.permutation(len(canvases))[:most])
        chosen = [canvases[i] for i in frames]
        beside = [canvas.beside(coding_pass) if coding_pass.light else None for canvas in chosen]
        flat = magnitudes[frames].reshape(len(frames), -1, channels)[
            :, coding_pass.positions, coding_pass.first : coding_pass.last
        ]
        wanted = (flat > 0).reshape(-1, coding_pass.last - coding_pass.first)
        seen = np.concatenate(
            [canvas.seen(coding_pass, own) for canvas, own in zip(chosen, beside, strict=True)]
        )
        if like is None:
            arrays |= _prediction(coding_pass, seen, wanted.astype(np.float32), rank)
        else:
            name = f"context.{coding_pass.index}."
            arrays |= {name + part: like[name + part] for part in PARTS}
        predicted = Weights.of(arrays, coding_pass).predict(seen)
        own_kind = np.zeros(predicted.shape, np.intp)
        if coding_pass.light:
            own_kind = OWN_KIND[np.concatenate([own for own in beside if own is not None]).astype(np.intp)]
        arrays[f"context.{coding_pass.index}.classes"] = _classes(
            predicted,
            own_kind,
            wanted,
            np.tile(of_pass(flat_kinds, coding_pass), (len(chosen), 1))
            if by_position
            else of_pass(flat_kinds, coding_pass),
            rungs,
        )
    return arrays


def _prediction(
    coding_pass: CodingPass, seen: NDArray[np.float32], wanted: NDArray[np.float32], rank: int
) -> dict[str, NDArray[Any]]:
    """The weights of one pass, in whole numbers."""
    before, own = coding_pass.first, coding_pass.last - coding_pass.first
    inputs = seen.shape[1]
    mean = wanted.mean(0)
    weights = np.zeros((inputs, own), np.float32)
    if inputs:
        center = seen.mean(0)
        # Neighbourhood sums are large numbers; each kind of input is scaled to about the same size.
        size = np.sqrt((seen**2).mean(0).mean()) / (np.sqrt(_by_kind((seen**2).mean(0), before)) + 1e-6)
        scaled = (seen - center) * size
        gram = scaled.T @ scaled / len(scaled)
        ridge = _RIDGE * max(float(np.diag(gram).mean()), 1e-6)
        weights = np.linalg.solve(
            gram + ridge * np.eye(inputs, dtype=np.float32), scaled.T @ (wanted - mean) / len(scaled)
        )
        _, directions = np.linalg.eigh(weights.T @ gram @ weights)
        directions = directions[:, ::-1][:, :rank]
        down = (weights * size[:, None]) @ directions
        bias = mean - center @ down @ directions.T
    else:
        down, directions, bias = np.zeros((0, 1), np.float32), np.zeros((own, 1), np.float32), mean
    sample = seen[:: max(1, len(seen) // _SAMPLE)]
    top = float(np.quantile(sample @ down @ directions.T + bias, _TOP)) + _FLOOR
    return _whole(coding_pass, down, directions.T, bias, seen, PREDICTIONS / min(max(top, _LEAST_RANGE), 1.0))


def _by_kind(values: NDArray[np.float32], before: int) -> NDArray[np.float32]:
    """Each value replaced by the mean of its kind of input."""
    result = values.copy()
    for kind in (slice(0, before), slice(before, 2 * before), slice(2 * before, None)):
        if values[kind].size:
            result[kind] = values[kind].mean()
    return result


def _whole(
    coding_pass: CodingPass,
    down: NDArray[np.float32],
    up: NDArray[np.float32],
    bias: NDArray[np.float32],
    seen: NDArray[np.float32],
    per_unit: float,
) -> dict[str, NDArray[Any]]:
    """`per_unit`: levels of the prediction between probability 0 and 1."""
    before, rank = coding_pass.first, down.shape[1]
    latent = np.abs(seen @ down).max(0) if len(down) else np.zeros(rank)
    scale = (LATENT_LIMIT - 1) / np.maximum(latent, 1e-6)
    most = np.concatenate(
        [
            np.full(before, MAX_MAGNITUDE),
            np.full(before, MAX_AROUND),
            np.full(len(down) - 2 * before, MAX_BESIDE),
        ]
    )
    down = down * scale
    worst = max(float((np.abs(down) * most[:, None]).sum(0).max(initial=0)), 1.0)
    largest = max(float(np.abs(down).max(initial=0)), 1e-6)
    latent_shift = int(np.clip(np.floor(np.log2(min(0.9 * EXACT / worst, 32000 / largest))), 0, 20))
    if worst * 2.0**latent_shift > 0.9 * EXACT:  # the latent must then be smaller than it could be
        shrink = 0.9 * EXACT / worst
        down, scale = down * shrink, scale * shrink
    up = up * per_unit / scale[:, None]
    bias = (bias + _FLOOR) * per_unit
    worst = max(float((np.abs(up).sum(0) * LATENT_LIMIT + np.abs(bias)).max()), 1.0)
    largest = max(float(np.abs(up).max()), 1e-6)
    shift = int(np.clip(np.floor(np.log2(min(0.9 * EXACT / worst, 32000 / largest))), 0, 20))
    whole = np.round(down * 2.0**latent_shift).astype(np.int16)
    name = f"context.{coding_pass.index}."
    return {
        name + "same": whole[:before],
        name + "around": whole[before : 2 * before],
        name + "beside": whole[2 * before :],
        name + "up": np.round(up * 2.0**shift).astype(np.int16),
        name + "bias": np.round(bias * 2.0**shift).astype(np.int32),
        name + "shift": np.array([latent_shift, shift], np.uint8),
    }


def _classes(
    predicted: NDArray[np.int32],
    own: NDArray[np.intp],
    wanted: NDArray[np.bool_],
    kinds: NDArray[np.uint8],
    rungs: NDArray[np.uint16],
) -> NDArray[np.uint8]:
    """The class whose probability is nearest to how often the symbol was not zero: (kinds, 5, PREDICTIONS)."""
    sample = predicted.ravel()[:: max(1, predicted.size // 100_000)]
    quantiles = np.concatenate([np.arange(1, _BINS) / _BINS, [0.98, 0.99, 0.995, 0.998]])
    edges = np.unique(np.quantile(sample, quantiles))
    bins = len(edges) + 1
    of_level = np.digitize(np.arange(PREDICTIONS), edges)
    key = (kinds.astype(np.intp) * OWN_KINDS + own) * bins + of_level[predicted]
    size = _KINDS * OWN_KINDS * bins
    total = np.bincount(key.ravel(), minlength=size).reshape(_KINDS, OWN_KINDS, bins)
    hits = np.bincount(key.ravel(), weights=wanted.ravel(), minlength=size).reshape(_KINDS, OWN_KINDS, bins)
    # Rare combinations are drawn towards all other kinds with the same prediction.
    usual = (hits.sum((0, 1)) + 0.5) / (total.sum((0, 1)) + 50)
    probability = (hits + 8 * usual) / (total + 8)
    odds = np.log(rungs / (65536.0 - rungs))
    nearest: NDArray[np.intp] = np.abs(np.log(probability / (1 - probability))[..., None] - odds).argmin(-1)
    return nearest[:, :, of_level].astype(np.uint8)
