"""A picture's file has the same pixels in the cloud as at an edge that reads it."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from kits.naming import naming
from kits.picture_files import png_chunk, saved
from PIL import Image

from cloud.bodies.pictures.file import read_file
from cloud.bodies.pictures.pixels import decode_file
from cloud.bodies.pictures.png import SIGNATURE
from edge.sources.pictures.depth import Depth
from edge.sources.pictures.reading import frames_of
from shared.errors import ContentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
JPEGS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "full colour": {"subsampling": 0, "quality": 95},
    "half colour": {"subsampling": 1},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
    "comment and profile": {"comment": b"x" * 999, "icc_profile": b"y" * 70_000},
}


def scene(mode: str = "RGB") -> Image.Image:
    """A picture of an odd size with something everywhere."""
    coarse = np.random.default_rng(3).integers(0, 256, (9, 13, 3), dtype=np.uint8)
    return Image.fromarray(cv2.resize(coarse, (203, 141), interpolation=cv2.INTER_CUBIC)).convert(mode)


def at_the_edge(data: bytes) -> NDArray[np.uint8]:
    """RGB."""
    ((picture, _),) = frames_of(data, Depth(), "file")
    return np.ascontiguousarray(picture[:, :, ::-1])


def in_the_cloud(data: bytes) -> NDArray[np.uint8]:
    file = read_file(data)
    picture = decode_file(file)
    assert picture.shape == (*file.upright, 3)
    return picture


def same(files: dict[str, bytes]) -> None:
    for name, data in files.items():
        with naming(name):
            np.testing.assert_array_equal(in_the_cloud(data), at_the_edge(data))


def oriented(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def deep_png(samples: NDArray[np.uint16], *, order: int = 1) -> bytes:
    """`order` -1: OpenCV takes BGR."""
    found, data = cv2.imencode(".png", samples[..., ::order] if samples.ndim == 3 else samples)
    assert found
    return data.tobytes()


def test_jpegs() -> None:
    same({name: saved(scene(), "JPEG", **form) for name, form in JPEGS.items()})
    same({mode: saved(scene(mode), "JPEG", quality=92) for mode in ("L", "CMYK")})


def test_pngs() -> None:
    same({mode: saved(scene(mode), "PNG") for mode in ("RGB", "L", "LA", "1", "P", "RGBA")})
    clear = scene("RGBA")
    clear.putalpha(0)  # what is transparent has the colour that the file gives it
    same({"transparent": saved(clear, "PNG"), "index": saved(scene("P"), "PNG", transparency=0, bits=4)})


def test_interlaced_pngs() -> None:
    """OpenCV does not write them, and Pillow neither: of one colour, whose rows are all alike."""
    for side in (1, 3, 8, 13):
        sizes = [(-(-(side - x) // dx), -(-(side - y) // dy)) for x, y, dx, dy in ADAM7]
        rows = b"".join(
            (b"\0" + b"\x40\x80\xc0" * columns) * lines for columns, lines in sizes if columns and lines
        )
        head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 1)
        for missing in (0, 1):
            data = zlib.compress(rows[: len(rows) - missing])
            png = SIGNATURE + png_chunk(b"IHDR", head) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")
            with naming(side, missing):
                if missing:
                    with pytest.raises(ContentError, match="fewer rows"):
                        in_the_cloud(png)
                else:
                    same({"interlaced": png})
                    assert (in_the_cloud(png) == (0x40, 0x80, 0xC0)).all()


def test_webps() -> None:
    clear = scene("RGBA")
    clear.putalpha(scene("L"))
    same(
        {
            "lossy": saved(scene(), "WEBP", quality=70),
            "lossless": saved(scene(), "WEBP", lossless=True),
            "lossy with alpha": saved(clear, "WEBP", quality=70),
            "lossless with alpha": saved(clear, "WEBP", lossless=True, exact=True),
            "told about": saved(scene(), "WEBP", exif=oriented(1), icc_profile=b"y" * 99, xmp=b"<x/>"),
        }
    )


def test_all_orientations() -> None:
    for kind in ("JPEG", "PNG", "WEBP"):
        same({f"{kind} {each}": saved(scene(), kind, exif=oriented(each)) for each in range(1, 9)})
    turned = saved(scene(), "JPEG", exif=oriented(6))
    assert in_the_cloud(turned).shape == (203, 141, 3)
    same({"no such orientation": saved(scene(), "JPEG", exif=oriented(9))})


def test_grey_of_sixteen_bits_becomes_as_bright_as_it_is_meant_to_be() -> None:
    grey = np.asarray(scene("L"), np.uint16)
    for bits in (8, 10, 12, 14, 16):
        data = deep_png(grey << (bits - 8))
        same({f"{bits} bits": data})
        with naming(bits):
            np.testing.assert_array_equal(in_the_cloud(data)[..., 0], np.asarray(scene("L")))


def test_colours_of_sixteen_bits_are_read_where_all_of_them_are_in_use() -> None:
    colours = np.asarray(scene(), np.uint16)
    alpha = np.full((141, 203, 1), 65535, np.uint16)
    full = colours << 8 | 0x55
    same({"RGB": deep_png(full, order=-1), "RGBA": deep_png(np.concatenate([full, alpha], axis=2))})
    with pytest.raises(ContentError, match="no more than 14"):
        in_the_cloud(deep_png(colours << 4))


def test_pixels_that_are_not_square_are_refused_as_an_edge_makes_them_so() -> None:
    data = saved(scene(), "PNG")
    at = data.index(b"IDAT") - 4
    for shape, unit, square in (((4, 3), 0, False), ((4, 4), 0, True), ((4, 3), 1, True)):
        stretched = data[:at] + png_chunk(b"pHYs", struct.pack(">IIB", *shape, unit)) + data[at:]
        with naming(shape, unit):
            if square:
                same({"square": stretched})
            else:
                with pytest.raises(ContentError, match="4:3; accepted: square"):
                    in_the_cloud(stretched)


def test_what_follows_a_jpeg_is_left_out() -> None:
    """Such as the film and the map of light that phones write behind their photographs."""
    data = saved(scene(), "JPEG")
    film = b"\xff\xda" * 40 + bytes(99)
    assert read_file(data + film).data == read_file(data).data
    same({"a film behind it": data + film})


def test_nothing_that_a_reader_walks_through_reaches_it() -> None:
    told = b"Exif\0\0II*\0" + b"\xff\xff" * 9000
    for kind, options in (("JPEG", {"comment": b"secret"}), ("PNG", {}), ("WEBP", {"xmp": b"secret"})):
        file = read_file(saved(scene(), kind, exif=told, icc_profile=b"secret" * 99, **options))
        with naming(kind):
            assert b"secret" not in file.data
            assert b"\xff\xff\xff\xff" not in file.data
            assert Image.open(io.BytesIO(file.data)).info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density",
                "adobe", "adobe_transform", "loop", "background", "timestamp", "duration"}  # fmt: skip


def test_segments_that_no_decoder_knows_are_refused_before_one_reads_them_byte_by_byte() -> None:
    data = saved(scene(), "JPEG")
    for code in (0x02, 0xC8, 0xDE, 0xF0, 0xFD):
        with naming(hex(code)), pytest.raises(ContentError, match="its headers are damaged"):
            read_file(data[:2] + bytes((0xFF, code, 0xFF, 0xFF)) + bytes(65533) + data[2:])
