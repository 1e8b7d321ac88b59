"""The profile that an edge uses before anybody calibrates: the user's file, or one fitted to drawn frames."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING

import numpy as np

from edge.calibration.fit import fit_profile
from edge.calibration.frames import read_pictures, variants
from edge.calibration.recipes import GENERIC, recipes
from edge.frames.preprocess import Preprocess
from edge.sources.synthetic import Synthetic
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.profile import MAX_PROFILE_BYTES, Profile
from shared.errors import RequestError, SettingsError
from shared.process.cache import Cache, key_of
from shared.process.machine import expand_home

if TYPE_CHECKING:
    from pathlib import Path

    from shared.load import Network
    from shared.network.model import Model

_log = logging.getLogger(__name__)

_VERSION = 1
_FRAMES = 64
_VARIANTS = 64


def profile_for(network: Network, path: str | None, cache_dir: str) -> Profile:
    """The file's profile, or without one the generic one. Raises SettingsError."""
    if path:
        return _read(network, expand_home(path))
    return _generic(network, Cache(cache_dir))


def read_profile(model: Model, path: Path) -> Profile:
    """The file's profile, if it is of this network. Raises SettingsError."""
    try:
        with path.open("rb") as file:
            profile = Profile.from_bytes(file.read(MAX_PROFILE_BYTES + 1))
        Calibrated(profile)
    except OSError as error:
        raise SettingsError(f"--profile {path}: {error.strerror}") from None
    except RequestError as error:
        raise SettingsError(f"--profile {path}: {error}") from None
    if profile.fingerprint != model.fingerprint:
        raise SettingsError(
            f"--profile {path} was fitted to {profile.about.get('model', 'a network')} with the fingerprint "
            f"{profile.fingerprint.hex()}, and this is {model.name} with {model.fingerprint.hex()}; "
            "run `python -m edge calibrate` with these weights"
        )
    return profile


def _read(network: Network, path: Path) -> Profile:
    profile = read_profile(network.model, path)
    if (profile.split_point, profile.shape) != (network.point.name, network.point.shape):
        raise SettingsError(
            f"--profile {path} was fitted at {profile.split_point}; use it with --split-point {profile.split_point}"
        )
    return profile


def _generic(network: Network, cache: Cache) -> Profile:
    key = key_of(network.model.fingerprint.hex(), network.point.name, str(network.point.shape), str(_VERSION))
    name = f"profile-{key}.safetensors"
    data = cache.load_file(name)
    if data is not None:
        with contextlib.suppress(RequestError):
            profile = Profile.from_bytes(data)
            Calibrated(profile)
            return profile
    start = time.monotonic()
    source = Synthetic(f"synthetic:fps=0,frames={_FRAMES * 8}")
    source.open()
    pictures = read_pictures(source, Preprocess(network.model.preprocessing), _FRAMES)
    head = network.engine.head(network.point)
    tensors = [
        np.array(head(network.model.preprocessing.normalise(picture)[None])[0])
        for picture in pictures + variants(pictures, _VARIANTS)
    ]
    signed = min(float(tensor.min()) for tensor in tensors) < 0
    profile = fit_profile(
        tensors,
        recipes(network.point.shape, signed=signed, pooled=False)[GENERIC],
        fingerprint=network.model.fingerprint,
        split_point=network.point.name,
        about={"model": network.model.name, "generic": str(_VERSION)},
    )
    _log.warning(
        "no --profile is given: fitted a generic one to drawn frames in %.1f s; `python -m edge calibrate` on footage of "
        "your own gives smaller frames at a known agreement",
        time.monotonic() - start,
    )
    cache.store_file(name, profile.data)
    return profile
