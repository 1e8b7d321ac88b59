"""The profile that an edge uses: the user's file, or else a generic one that is fitted to drawn frames."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING

from edge.calibration.pictures import Footage, variants
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.profile import Profile
from shared.errors import RequestError, SettingsError
from shared.limits import MAX_PROFILE_BYTES
from shared.process.cache.folder import Cache, key_of
from shared.process.machine import expand_home

if TYPE_CHECKING:
    from pathlib import Path

    from shared.engines.load import Network
    from shared.network.model import Model

_log = logging.getLogger(__name__)

_VERSION = 4
_FRAMES = 64
_VARIANTS = 64


def profile_for(network: Network, path: str | None, cache_dir: str) -> Profile:
    """The profile in the file at `path`, or the generic one if no path is given. Raises SettingsError."""
    if path:
        return _read(network, expand_home(path))
    return _generic(network, Cache(cache_dir))


def read_profile(model: Model, path: Path) -> Profile:
    """The profile in the file at `path`. Raises SettingsError if it is none, or was not fitted to this network."""
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
    if (profile.split_point, profile.shapes) != (network.point.name, network.point.shapes):
        raise SettingsError(
            f"--profile {path} was fitted at {profile.split_point}; use it with --split-point {profile.split_point}"
        )
    return profile


def _generic(network: Network, cache: Cache) -> Profile:
    key = key_of(
        network.model.fingerprint.hex(), network.point.name, str(network.point.shapes), str(_VERSION)
    )
    name = f"profile-{key}.safetensors"
    data = cache.load_file(name)
    if data is not None:
        with contextlib.suppress(RequestError):
            profile = Profile.from_bytes(data)
            Calibrated(profile)
            return profile
    # Most starts fit nothing, and are sooner without what fitting needs.
    from edge.calibration.fit import GENERIC, fit_crossing, presets  # noqa: PLC0415
    from edge.calibration.trials import cross, signed  # noqa: PLC0415

    start = time.monotonic()
    pictures = Footage(f"synthetic:fps=0,frames={_FRAMES * 8}").read(network.model.recipe, _FRAMES)
    head = network.engine.head(network.point)
    crossing = cross(network.point, network.model.recipe, head, pictures + variants(pictures, _VARIANTS))
    usual = presets(network.point.shapes, signed=[signed(tensors) for tensors in crossing])
    profile = fit_crossing(
        crossing,
        usual[GENERIC],
        fingerprint=network.model.fingerprint,
        split_point=network.point.name,
        about={"model": network.model.name, "generic": str(_VERSION)},
        given=0,
        format_1=True,  # nobody chose this profile, so it must not be what a cloud refuses
    )
    _log.warning(
        "no --profile is given: fitted a generic one to drawn frames in %.1f s; `python -m edge calibrate` on footage of "
        "your own gives smaller frames at a known agreement",
        time.monotonic() - start,
    )
    cache.store_file(name, profile.data)
    return profile
