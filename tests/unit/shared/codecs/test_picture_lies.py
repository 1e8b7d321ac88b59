"""Pictures as weapons: files that are not what the frame says, and what decoding them would cost."""

from __future__ import annotations

import numpy as np
import pytest
from kits.codecs import forge, frame_of, picture
from kits.memory import assert_refused_in_little_memory
from kits.naming import naming
from kits.picture_files import (
    comments,
    jpeg_of_size,
    picture_frame,
    png_file,
    riff,
    saved,
    scans,
    webp,
    webp_of_size,
)
from kits.reading import read
from PIL import Image

from shared.codecs import NAMES
from shared.errors import ContentError
from shared.limits import MAX_JPEG_SCANS
from shared.wire import frame as wire

MEBIBYTE = 1 << 20


def test_the_picture_files_that_the_lies_start_from_are_true() -> None:
    assert read(picture_frame("png", png_file(8, 8))).tolist() == np.ones((8, 8, 3)).tolist()
    assert read(picture_frame("jpeg", jpeg_of_size(8, 8))).shape == (8, 8, 3)
    assert read(picture_frame("jpeg", scans(MAX_JPEG_SCANS))).shape == (8, 8, 3)


@pytest.mark.parametrize("size", [(8, 9), (9, 8), (16, 4), (60000, 60000), (1, 65500)], ids=str)
@pytest.mark.parametrize(("codec", "make"), [("png", png_file), ("jpeg", jpeg_of_size)])
def test_a_picture_whose_own_header_has_another_size_is_refused(
    codec: str, make, size: tuple[int, int]
) -> None:
    data = make(*size, rows=b"\0") if codec == "png" else make(*size)
    with pytest.raises(ContentError, match=r"the frame says|decompression bomb"):
        read(picture_frame(codec, data))


@pytest.mark.parametrize(
    ("what", "depth", "colour"), [("grey", 8, 0), ("RGBA", 8, 6), ("16 bits", 16, 2), ("palette", 8, 3)]
)
def test_a_png_that_is_not_rgb_of_8_bits_is_refused(what: str, depth: int, colour: int) -> None:
    with pytest.raises(ContentError, match="the frame says \\(8, 8, 3\\) RGB"):
        read(picture_frame("png", png_file(8, 8, depth=depth, colour=colour)))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_jpeg_that_is_not_of_3_components_is_refused(mode: str) -> None:
    with pytest.raises(ContentError, match=f"{mode}.*, the frame says"):
        read(picture_frame("jpeg", saved(Image.new(mode, (8, 8)), "JPEG")))


def test_a_picture_in_another_format_than_the_frame_says_is_refused() -> None:
    for codec, other in [
        ("png", "JPEG"),
        ("jpeg", "PNG"),
        ("png", "GIF"),
        ("jpeg", "TIFF"),
        ("webp", "JPEG"),
        ("webp", "GIF"),
        ("jpeg", "WEBP"),
    ]:
        data = picture_frame(codec, saved(Image.fromarray(picture()), other))
        with naming(codec, other), pytest.raises(ContentError, match=f"not a readable {codec} picture"):
            read(data)


@pytest.mark.parametrize("codec", ["png", "jpeg", "webp"])
def test_a_picture_cut_short_is_refused(codec: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = NAMES[codec].encode(noise).payload
    for share in (0, 0.1, 0.5, 0.9):
        with naming(share), pytest.raises(ContentError, match=f"not a readable {codec} picture"):
            read(picture_frame(codec, whole[: int(share * len(whole))], (64, 64, 3)))


def test_a_jpeg_of_very_many_scans_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(ContentError, match=f"more than {MAX_JPEG_SCANS} scans"):
        read(picture_frame("jpeg", scans(MAX_JPEG_SCANS + 1)))


VP8 = webp()[20:]
WEBPS = {
    "lossless": (webp(lossless=True), "first chunk is b'VP8L'"),
    "alpha": (webp(Image.new("RGBA", (8, 8), (9, 9, 9, 9))), "first chunk is b'VP8X'"),
    "animated": (
        webp(save_all=True, append_images=[Image.fromarray(picture(seed=1))], duration=40),
        "first chunk is b'VP8X'",
    ),
    "metadata": (webp(exif=b"Exif\0\0" + bytes(64)), "first chunk is b'VP8X'"),
    "a huge canvas": (riff((b"VP8X", bytes(4) + b"\xff\xff\xff" * 2)), "first chunk is b'VP8X'"),
    "a chunk behind": (riff((b"VP8 ", VP8), (b"EXIF", bytes(8))), "lengths do not add up"),
    "bytes behind": (webp() + bytes(2), "lengths do not add up"),
    "a chunk that is too long": (webp()[:16] + b"\xff\xff\xff\xff" + VP8, "lengths do not add up"),
    "a file that is too long": (b"RIFF\xff\xff\xff\xff" + webp()[8:], "lengths do not add up"),
    "not a key frame": (webp()[:20] + bytes([VP8[0] | 1]) + VP8[1:], "does not start with a key frame"),
    "another start code": (riff((b"VP8 ", VP8[:3] + b"\x9d\x01\x2b" + VP8[6:])), "key frame"),
    "a header and no picture": (riff((b"VP8 ", VP8[:10])), "not a readable webp picture"),
    "another kind of RIFF": (webp()[:8] + b"WAVE" + webp()[12:], "does not start as a WebP"),
    "nothing": (b"", "0 bytes are no WebP"),
}


@pytest.mark.parametrize(("data", "text"), WEBPS.values(), ids=WEBPS.keys())
def test_a_webp_that_is_not_one_lossy_picture_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(ContentError, match=text):
        read(picture_frame("webp", data))


def test_a_webp_of_another_size_is_refused_before_pillow_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "open", lambda *_arguments, **_options: pytest.fail("it was opened"))
    for size in [(8, 9), (9, 8), (16, 4), (16383, 16383), (0, 8)]:
        with naming(size), pytest.raises(ContentError, match=r"the frame says \(8, 8, 3\)"):
            read(picture_frame("webp", webp_of_size(*size, webp())))


def test_a_webp_whose_hint_for_the_screen_is_set_is_read() -> None:
    hinted = bytearray(webp())
    hinted[27] |= 0x40
    hinted[29] |= 0x80
    assert read(picture_frame("webp", bytes(hinted))).tolist() == read(picture_frame("webp", webp())).tolist()


def test_a_webp_that_claims_a_larger_picture_than_it_holds_is_refused() -> None:
    """Its header and the frame's agree; the picture that follows is of 8x8."""
    with pytest.raises(ContentError, match="not a readable webp picture"):
        read(picture_frame("webp", webp_of_size(1024, 1024, webp()), (1024, 1024, 3)))


BOMBS = {
    "a huge PNG": picture_frame("png", png_file(50000, 50000, rows=b"\0")),
    "a huge JPEG": picture_frame("jpeg", jpeg_of_size(50000, 50000)),
    "a huge WebP": picture_frame("webp", webp_of_size(16383, 16383, webp())),
    "a huge animation": picture_frame("webp", WEBPS["a huge canvas"][0]),
    "a PNG with 63 MiB of comments": picture_frame("png", png_file(8, 8, extra=comments(63, MEBIBYTE))),
    "a PNG with many comments": picture_frame("png", png_file(8, 8, extra=comments(999, 1 << 16))),
    "a shape of 64 MiB and no payload": wire.pack(
        frame_of(NAMES["float32"], shape=(4096, 4096), payload=b"")
    ),
    "a payload length of 4 GiB": forge(payload_length=0xFFFFFFFF),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_refused_in_little_memory(bomb: bytes) -> None:
    assert_refused_in_little_memory(bomb)
