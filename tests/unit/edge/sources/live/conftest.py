"""A short video as it travels."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest


@pytest.fixture(scope="session")
def clip_of_twelve():
    """An MPEG-TS of twelve frames that grow lighter, 25 a second."""
    file = io.BytesIO()
    with av.open(file, "w", format="mpegts") as container:
        stream = container.add_stream(
            "libx264", rate=25, options={"tune": "zerolatency", "preset": "ultrafast"}
        )
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(12):
            picture = np.full((48, 64, 3), 20 * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    return file.getvalue()
