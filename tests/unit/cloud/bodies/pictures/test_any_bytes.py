"""For all bytes, reading a picture's file gives a picture or a WireError, and nothing else."""

from __future__ import annotations

import struct
import zlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from kits.codecs import picture
from kits.detecting import model
from kits.naming import naming
from kits.picture_files import png_file, riff, saved, webp
from PIL import Image

from cloud.bodies.pictures import png
from cloud.bodies.pictures.exif import orientation_of
from cloud.bodies.pictures.picture import read_picture
from shared.codecs.pictures import files, jpeg
from shared.errors import WireError
from shared.tasks.spec import TaskSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

MODEL = model(TaskSpec("raw", "none"))
FILES = {
    "baseline": saved(Image.fromarray(picture(12, 20)), "JPEG"),
    "progressive": saved(Image.fromarray(picture(12, 20)), "JPEG", progressive=True, exif=b"Exif\0\0II*\0\x08\0\0\0"),
    "png": saved(Image.fromarray(picture(12, 20)).convert("P"), "PNG"),
    "deep": png_file(9, 9, depth=16, colour=0),
    "lossy": webp(),
    "lossless": webp(lossless=True, exif=b"Exif\0\0MM\0*"),
}  # fmt: skip


def changed(data: bytes, rng: np.random.Generator) -> Iterator[bytes]:
    for _ in range(60):
        some = bytearray(data)
        for at in rng.integers(0, len(data), rng.integers(1, 5)):
            some[at] = rng.integers(256)
        yield bytes(some)
        cut, end = sorted(rng.integers(0, len(data), 2))
        yield data[:cut] + data[end:]
        yield data[:end] + data[cut:]


def test_damage_is_a_refusal_or_a_picture() -> None:
    rng, refused = np.random.default_rng(7), 0
    for name, data in FILES.items():
        for each in changed(data, rng):
            with naming(name, each.hex()):
                try:
                    work = read_picture(each, MODEL)
                except WireError:
                    refused += 1
                else:
                    assert work.crossing[0].shape == (1, *MODEL.recipe.tensor_shape)
    assert refused > 300


def test_files_that_lie_are_refused() -> None:
    big = struct.pack("<HH", 16000, 16000)
    vp8 = webp()[20:]
    canvas = bytes((0x10, 0, 0, 0)) + (15).to_bytes(3, "little") * 2
    for name, data in {
        "no picture in a webp": riff((b"EXIF", b"")),
        "two pictures": riff((b"VP8 ", vp8), (b"VP8L", b"\x2f\0\0\0\0")),
        "a canvas of another size": riff((b"VP8X", canvas), (b"VP8 ", vp8)),
        "a canvas behind": riff((b"VP8 ", vp8), (b"VP8X", canvas)),
        "a large lossy webp": riff((b"VP8 ", vp8[:6] + big + vp8[10:])),
        "many chunks": riff(*[(b"JUNK", b"")] * 2000),
        "a short lossless webp": riff((b"VP8L", b"\x2f")),
        "a png that begins otherwise": FILES["png"][:8] + FILES["png"][33:],
        "a png of no size": png_file(0, 9),
        "a png of too few rows": png_file(9, 9, rows=bytes(28 * 8)),
        "a deep one": png_file(9, 9, depth=16, rows=bytes(55 * 9 - 1)),
    }.items():
        with naming(name):
            try:
                read_picture(data, MODEL)
            except WireError as error:
                assert str(error)
            else:
                raise AssertionError("it was read")


def test_rows_are_counted_in_the_time_that_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a decompressor leaves over is copied each time, so it is never given the whole of a long chunk."""
    taken = 0

    class Stream:
        def __init__(self) -> None:
            self._stream = zlib.decompressobj()

        def decompress(self, data: bytes, most: int) -> bytes:
            nonlocal taken
            taken += len(data)
            return self._stream.decompress(data, most)

        def __getattr__(self, name: str) -> object:
            return getattr(self._stream, name)

    rows = bytes(8_000_000) + np.random.default_rng(0).bytes(1_001_000)
    data = png_file(1000, 3000, rows=rows)
    monkeypatch.setattr(png, "zlib", SimpleNamespace(decompressobj=Stream, error=zlib.error))
    png.require_all_rows(data)
    assert 1_000_000 < len(data) <= taken <= len(data) + len(rows)


def test_a_long_jpeg_is_looked_through_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each holds the interpreter, and with it the event loop."""
    spans = []

    class Data(bytes):
        def count(self, *given: Any) -> int:
            spans.append(given[2] - given[1])
            return super().count(*given)

    class Pattern:
        def __init__(self, real: Any) -> None:
            self._real = real

        def search(self, data: bytes, at: int, end: int = 1 << 40) -> Any:
            spans.append(min(end, len(data)) - at)
            return self._real.search(data, at, end)

    for name in ("_MARKER", "_AFTER_SCAN"):
        monkeypatch.setattr(jpeg, name, Pattern(getattr(jpeg, name)))
    image = Image.fromarray(picture(40, 56))
    file = saved(image, "JPEG", restart_marker_blocks=1)
    whole = jpeg.read_jpeg(file, most_pieces=99, most_scans=9)
    restarts = file.count(b"\xff\xd1"), jpeg.count_of(b"\xff\xd1", file, 0, len(file))
    assert restarts[0] == restarts[1] > 1
    spans.clear()
    long = file[:-2] + b"\xff" * 1_000_000 + file[-2:]
    found = jpeg.read_jpeg(Data(long), most_pieces=99, most_scans=9)
    files.check_file("jpeg", Data(long), (40, 56, 3))
    assert (found.ended, found.height, found.width) == (True, 40, 56)
    assert max(spans) < 300_000
    for step in (1, 2, 3, 7):
        monkeypatch.setattr(jpeg, "_STEP", step)
        assert jpeg.read_jpeg(file, most_pieces=99, most_scans=9) == whole
        assert jpeg.count_of(b"\xff\xd1", file, 0, len(file)) == restarts[0]


def test_an_orientation_is_read_or_left_alone() -> None:
    rng = np.random.default_rng(1)
    for order, header in (("<", b"II*\0"), (">", b"MM\0*")):
        entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, 6, 0)
        whole = header + struct.pack(order + "IH", 8, 2) + bytes(12) + entry
        assert orientation_of(whole) == 6
        assert orientation_of(whole[:-12]) == 1
        assert orientation_of(header + struct.pack(order + "I", 2**32 - 1)) == 1
        for each in changed(whole, rng):
            assert 1 <= orientation_of(each) <= 8
    assert orientation_of(b"") == 1
