"""A codec: bfloat16, the upper half of each float32."""

import numpy as np

from splitdnn import Codec, ContentError, Encoded


class BFloat16(Codec):
    id = 200
    name = "bfloat16"

    def encode(self, array):
        bits = np.ascontiguousarray(array, "<f4").view("<u4")
        return Encoded(b"", (bits >> 16).astype("<u2").tobytes())

    def decode(self, params, payload, shape):
        if params or len(payload) != 2 * np.prod(shape):
            raise ContentError(f"{len(payload)} bytes are no bfloat16 tensor of shape {shape}")
        array = (np.frombuffer(payload, "<u2").astype("<u4") << 16).view("<f4").reshape(shape)
        if not np.isfinite(array).all():
            raise ContentError("the tensor holds NaN or infinity")
        return array
