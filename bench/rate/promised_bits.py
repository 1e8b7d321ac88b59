"""How many bits a profile's models promise for a tensor; a perfect coder would need just these."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.codecs.calibrated.context_model import ContextModel
from shared.codecs.calibrated.entropy import SCALE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.codecs.calibrated.codec import Calibrated
    from shared.codecs.calibrated.profile import Profile


class PromisedBits:
    """The entropy of one profile's symbols, counted beside the coder and not by it."""

    def __init__(self, codec: Calibrated, profile: Profile) -> None:
        arrays = profile.arrays
        self._codec = codec
        self._steps = codec.coder.passes
        self._contexts = ContextModel(arrays, self._steps, len(arrays["channel_kind"]))
        self._not_zero = arrays["ladder"].astype(np.float64) / SCALE
        self._magnitudes = arrays["magnitudes"].astype(np.float64) / SCALE if "magnitudes" in arrays else None
        self._kinds = arrays.get("magnitude_kind")

    def __call__(self, tensor: NDArray[np.float32]) -> tuple[float, int]:
        """Bits that are promised for this tensor, and those of the payload that the coder makes of it."""
        encoded, symbols = self._codec.encode_symbols(tensor)
        channels = symbols.magnitudes.shape[2]
        magnitudes = symbols.magnitudes.reshape(-1, channels)
        bits = 0.0
        for step in self._steps:
            values = magnitudes[step.positions, step.first : step.last]
            classes = self._contexts.classes(step, symbols.canvas).reshape(values.shape)
            probable = self._not_zero[classes]
            bits -= np.log2(np.where(values > 0, probable, 1 - probable)).sum()
            _, channel = coded = np.nonzero(values)
            if self._magnitudes is not None and self._kinds is not None:
                kinds = self._kinds[step.first : step.last][channel]
                bits -= np.log2(self._magnitudes[kinds, values[coded].astype(np.intp) - 1]).sum()
            if symbols.negative is not None:
                bits += len(channel)
        return float(bits), 8 * len(encoded.payload)
