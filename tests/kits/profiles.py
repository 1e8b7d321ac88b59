"""Small profiles and the tensors they are fitted to."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.calibration.fit import Preset, fit_profile
from shared.codecs.calibrated.profile import Profile

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALL = Preset(step=1.5, groups=2, context_rank=4, corrector_rank=4)


def features(
    shape: tuple[int, ...], count: int = 12, *, seed: int = 0, signed: bool = False
) -> list[NDArray[np.float32]]:
    """Tensors like those inside a network: few values that are not zero, near to each other and alike across channels."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        tensor = rng.standard_normal(shape).astype(np.float32)
        if len(shape) == 3:
            tensor += 0.7 * np.roll(tensor, 1, axis=2) + 0.7 * tensor.mean(0)
        found.append(tensor if signed else np.maximum(tensor - np.float32(0.5), 0))
    return found


@cache
def make_profile(
    fingerprint: bytes = b"profile.",
    split_point: str = "layer1",
    shape: tuple[int, ...] = (8, 6, 6),
    preset: Preset = SMALL,
    **options: Any,
) -> Profile:
    """A profile fitted to `features(shape)`, once in a process for the same arguments."""
    tensors = features(shape, **options)
    return fit_profile(tensors, preset, fingerprint=fingerprint, split_point=split_point)


@cache
def still_camera(shape: tuple[int, ...] = (8, 6, 6), *, signed: bool = False) -> Profile:
    """A profile fitted to tensors that are alike at every position: most of what they hold does not move."""
    background = 3 * features(shape, 1, seed=50, signed=signed)[0]
    tensors = [background + 0.3 * tensor for tensor in features(shape, 30, seed=60, signed=signed)]
    return fit_profile(tensors, SMALL, fingerprint=b"profile.", split_point="layer1")


def stream(
    shape: tuple[int, ...], count: int = 12, *, seed: int = 0, signed: bool = False
) -> list[NDArray[np.float32]]:
    """Tensors of frames that follow each other: most of what they hold does not move."""
    background = 2 * features(shape, 1, seed=seed, signed=signed)[0]
    return [background + 0.4 * each for each in features(shape, count, seed=seed + 1, signed=signed)]


@cache
def following_profile(
    shape: tuple[int, ...] = (8, 6, 6), preset: Preset = SMALL, *, signed: bool = False
) -> Profile:
    """A profile of format 4, fitted to `stream(shape)`."""
    runs = [stream(shape, seed=seed, signed=signed) for seed in (0, 20)]
    tensors = [tensor for run in runs for tensor in run]
    return fit_profile(tensors, preset, fingerprint=b"profile.", split_point="layer1", runs=runs)


def with_arrays(profile: Profile, **arrays: np.ndarray | None) -> Profile:
    """The profile with some arrays replaced, or left out for None."""
    kept = {**profile.arrays, **arrays}
    return Profile.make(
        {name: array for name, array in kept.items() if array is not None},
        fingerprint=profile.fingerprint,
        split_point=profile.split_point,
        shapes=profile.shapes,
        about=profile.about,
    )


def damaged(payload: bytes, rng: np.random.Generator) -> list[bytes]:
    """What is left of a payload, and bytes that never were one."""
    found = [b"", payload[:-4], payload + payload, payload[:-1], payload + bytes(4), bytes([255]) * 400]
    found += [rng.integers(0, 256, 4 * rng.integers(1, 60), np.uint8).tobytes() for _ in range(20)]
    for _ in range(40):
        changed = bytearray(payload)
        changed[rng.integers(len(payload))] ^= int(rng.integers(1, 256))
        found.append(bytes(changed))
    return found
