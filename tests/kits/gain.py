"""A codec whose profile holds one number: a stand-in for `calibrated` in tests of how profiles are exchanged."""

from __future__ import annotations

from typing import Any

import numpy as np

from shared.codecs import NAMES
from shared.codecs.base import Codec, Encoded
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.profile import Profile
from shared.errors import ContentError, ProfileContentError

FLOAT32 = NAMES["float32"]


def gain_profile(
    fingerprint: bytes,
    split_point: str,
    shape: tuple[int, ...],
    gain: float = 2.0,
    room: int = 0,
    **about: str,
) -> Profile:
    """A profile with the number that values are divided by before they travel; `room` bytes make it larger."""
    arrays = {"gain": np.full(1, gain, np.float32), "room": np.zeros(room, np.uint8)}
    return Profile.make(arrays, fingerprint=fingerprint, split_point=split_point, shapes=[shape], about=about)


class Gained(Codec):
    """float32 numbers divided by the profile's gain, under the id of codec `calibrated`."""

    id = Calibrated.id
    name = Calibrated.name

    def __init__(self, profile: Profile) -> None:
        """Raises ProfileContentError if the profile has no gain."""
        if "gain" not in profile.arrays:
            raise ProfileContentError("a profile without a gain")
        self.profile = profile
        self._gain = np.float32(profile.arrays["gain"][0])

    def encode(self, array: np.ndarray) -> Encoded:
        return Encoded(self.profile.digest, FLOAT32.encode(array / self._gain).payload)

    def decode(self, params: bytes, payload: Any, shape: tuple[int, ...]) -> np.ndarray:
        if params != self.profile.digest:
            raise ContentError("decoded with the profile of another frame")
        return FLOAT32.decode(b"", payload, shape) * self._gain
