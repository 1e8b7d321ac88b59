"""What schemathesis sends where a schema says no more than `bytes`: true files, frames of the small network, and damaged ones of both.

Loaded by schemathesis' own process (`SCHEMATHESIS_HOOKS`).
"""

from __future__ import annotations

import numpy as np
import schemathesis
from hypothesis import strategies as st
from kits.codecs import frame_of, picture
from kits.picture_files import saved
from PIL import Image

from shared.codecs import NAMES
from shared.wire import frame as wire

FINGERPRINT = b"old....."

_FILES = [saved(Image.fromarray(picture(12, 16)), kind) for kind in ("JPEG", "PNG", "WEBP")]
_FRAMES = [
    wire.pack(frame_of(NAMES[codec], array, split_point=point, fingerprint=FINGERPRINT, deadline_ms=0))
    for codec, point, array in (
        ("float32", "flatten", np.linspace(-1, 1, 512, dtype=np.float32)),
        ("int8+zstd", "flatten", np.linspace(-1, 1, 512, dtype=np.float32)),
        ("jpeg", "input", picture(24, 32)),
    )
]

for _kind in ("image/jpeg", "image/png", "image/webp"):
    schemathesis.openapi.media_type(_kind, st.sampled_from(_FILES))
schemathesis.openapi.media_type("application/vnd.splitdnn.frame", st.sampled_from(_FRAMES))
