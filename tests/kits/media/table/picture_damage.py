"""Pictures that were cut off or damaged: left out, and never answered as if they were whole."""

import random

from kits.media.expected import Refused, Whole
from kits.media.making import Spoilt
from kits.media.row import Row
from kits.media.spoiling import Cut
from kits.media.stills import Truth, picture, saved

JPEG = {"quality": 97, "subsampling": 0}
FORMATS = {
    "jpg": saved(**JPEG),
    "png": saved(),
    "webp": saved(quality=98),
    "tiff": saved(compression="tiff_lzw"),
    "bmp": saved(),
    "avif": saved(quality=95),
    "jp2": saved(),
    "ppm": saved(),
}
PROGRESSIVE = saved(progressive=True, **JPEG)
RESTARTS = saved(restart_marker_blocks=4, **JPEG)


def _refused(name, of, change, *, short=False):
    return Row(name, Spoilt(of, change), Refused((name,)), short)


def _without_end(data, origin):
    assert data.endswith(b"\xff\xd9")
    return data[:-2]


def _with_more(data, origin):
    return data + random.Random(2).randbytes(500)


def _noise(data, origin):
    start = len(data) // 2
    return data[:start] + random.Random(1).randbytes(200) + data[start + 200 :]


def _tail_of_zeros(data, origin):
    """A file whose end was not written before the power failed."""
    start = len(data) // 2
    return data[:start] + bytes(len(data) - start)


def _hole(data, origin):
    start = len(data) // 2
    return data[:start] + data[start + 400 :]


ROWS = [
    *(
        _refused(f"cut-{share}.{suffix}", maker, Cut(share), short=suffix == "jpg" or share == 0.6)
        for suffix, maker in FORMATS.items()
        for share in (0.25, 0.6, 0.97)
    ),
    *(_refused(f"cut-{share}-progressive.jpg", PROGRESSIVE, Cut(share)) for share in (0.2, 0.5, 0.8, 0.97)),
    *(_refused(f"cut-{share}-restarts.jpg", RESTARTS, Cut(share)) for share in (0.3, 0.9)),
    _refused("noise.png", FORMATS["png"], _noise),
    _refused("tail-of-zeros.jpg", FORMATS["jpg"], _tail_of_zeros),
    _refused("tail-of-zeros.png", FORMATS["png"], _tail_of_zeros),
    _refused("hole.jpg", FORMATS["jpg"], _hole),
    _refused("hole-progressive.jpg", PROGRESSIVE, _hole),
    _refused("hole-restarts.jpg", RESTARTS, _hole),
    _refused("hole.png", FORMATS["png"], _hole),
    Row(
        "without-end-marker.jpg",
        Spoilt(FORMATS["jpg"], _without_end),
        Whole(Truth(lambda: [picture()])),
        short=True,
    ),
    Row("with-more-behind.jpg", Spoilt(FORMATS["jpg"], _with_more), Whole(Truth(lambda: [picture()]))),
    Row("with-more-behind.png", Spoilt(FORMATS["png"], _with_more), Whole(Truth(lambda: [picture()]))),
]
