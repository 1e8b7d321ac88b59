"""The part of the second reader of the wire format (wire_reader.py) that needs a decoder of video; nothing of the project is imported."""

from __future__ import annotations

import av
import numpy as np


def keyframe(codec: int, params: bytes, payload: bytes, shape: tuple) -> np.ndarray:
    """The picture of a video's keyframe."""
    assert params == bytes(4)
    name = {68: "h264", 69: "hevc", 70: "libdav1d"}[codec]
    decoder = av.CodecContext.create(name, "r")
    (frame,) = decoder.decode(av.Packet(payload)) or decoder.decode(None)
    assert (frame.height, frame.width) == tuple(max(16, side + side % 2) for side in shape[:2])
    planes = frame.reformat(format="yuv444p", interpolation="BICUBIC").to_ndarray().astype(float)
    y, u, v = (
        (planes - np.array([16, 128, 128]).reshape(3, 1, 1))
        * 255
        / np.array([219, 224, 224]).reshape(3, 1, 1)
    )
    rgb = np.stack([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], axis=-1)
    return np.rint(rgb).clip(0, 255).astype(np.uint8)[: shape[0], : shape[1]]
