"""The codec `calibrated` by numpy and by each level of instructions that this processor has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.native.library import library
from shared.codecs.calibrated.native.model import NativeModel

if TYPE_CHECKING:
    from shared.codecs.calibrated.profile import Profile


def compiled(profile: Profile) -> dict[str, Calibrated]:
    """A codec for each level, by its name, of the one tensor of a profile; at least one."""
    reference = Calibrated(profile, compiled=False)
    found = library()
    assert found is not None
    codecs = {}
    for level in found.levels:
        codecs[level.name] = codec = Calibrated(profile)
        codec._model = NativeModel(found, level, profile.of_tensor(0).arrays, reference.in_numpy)
    return codecs
