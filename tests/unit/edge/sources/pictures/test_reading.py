"""Pictures of all kinds: what is read of them, and what is said of those that are not whole."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from kits.picture_files import png_file, saved
from PIL import Image

from edge.sources.opencv import quiet_opencv
from edge.sources.pictures.depth import Depth
from edge.sources.pictures.reading import frames
from edge.sources.pictures.unreadable import UnreadableError

RNG = np.random.default_rng(11)
BGR = cv2.resize(RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8), (64, 48), interpolation=cv2.INTER_CUBIC)
SCENE = Image.fromarray(np.ascontiguousarray(BGR[..., ::-1]))
GREY = np.asarray(SCENE.convert("L"))
quiet_opencv()


@pytest.fixture
def read(tmp_path):
    """A function: what a file of these bytes gives, as (picture, time); a text at its end if something is unreadable."""

    def go(data, name="picture", depth=None):
        path, found = tmp_path / name, []
        path.write_bytes(data)
        try:
            found.extend(frames(path, depth or Depth()))
        except UnreadableError as error:
            found.append(str(error))
        for each in found:
            if not isinstance(each, str):
                picture = each[0]
                assert (picture.dtype, picture.ndim, picture.shape[2]) == (np.uint8, 3, 3), name
                assert picture.flags.c_contiguous, name
        return found

    return go


def alone(found):
    ((picture, time),) = found
    assert time is None
    return picture


def far(first, second):
    """Mean distance of two pictures."""
    assert first.shape == second.shape
    return np.abs(first.astype(int) - second).mean()


LOSSLESS = {
    "PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}, "BMP": {}, "DIB": {}, "JPEG2000": {"irreversible": False}, "PPM": {}, "QOI": {},
    "PCX": {}, "SGI": {},
}  # fmt: skip
LOSSY = {"JPEG": {"quality": 95, "subsampling": 0}, "AVIF": {"quality": 95}, "GIF": {}}


def test_every_format_by_its_content_whatever_its_name_is(read):
    for kind, options in (LOSSLESS | LOSSY).items():
        data = saved(SCENE, kind, **options)
        for name in ("a", "a.jpg", "a.png", f"a.{kind.lower()}"):
            distance = far(alone(read(data, name)), BGR)
            assert distance == 0 if kind in LOSSLESS else distance < 12, (kind, name)


def test_plain_jpegs_are_opencvs_bit_for_bit(read, tmp_path):
    for options in ({}, {"progressive": True}, {"restart_marker_rows": 1}):
        data = saved(SCENE, "JPEG", **options)
        (tmp_path / "plain.jpg").write_bytes(data)
        assert np.array_equal(alone(read(data)), cv2.imread(str(tmp_path / "plain.jpg"))), options
        assert np.array_equal(alone(read(data[:-2])), alone(read(data))), "no end marker"


def test_half_of_any_file_is_no_picture(read, capfd):
    for kind, options in (LOSSLESS | LOSSY).items():
        data = saved(SCENE, kind, **options)
        for share in (0.3, 0.6, 0.9):
            (reason,) = read(data[: int(share * len(data))], "half")
            assert isinstance(reason, str), (kind, share)
            assert "cut off" in reason, (kind, share, reason)
    assert not capfd.readouterr().err, "libraries are silent"


def test_colours_of_any_mode(read):
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        image = SCENE.convert(mode)
        if "A" in mode:
            image.putalpha(Image.linear_gradient("L").resize(image.size))
        want = np.asarray(image.convert("RGB"))[..., ::-1]
        for kind in ("PNG", "TIFF"):
            assert far(alone(read(saved(image, kind))), want) == 0, (mode, kind)
    palette = SCENE.quantize(16)
    assert (
        far(alone(read(saved(palette, "PNG", transparency=3))), np.asarray(palette.convert("RGB"))[..., ::-1])
        == 0
    )
    for kind in ("JPEG", "TIFF"):
        assert far(alone(read(saved(SCENE.convert("CMYK"), kind))), BGR) < 5, kind


def test_pictures_are_turned_upright(read):
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
        for orientation, turned in (
            (1, BGR), (2, BGR[:, ::-1]), (3, BGR[::-1, ::-1]), (6, np.rot90(BGR, -1)), (8, np.rot90(BGR)),
        ):  # fmt: skip
            exif = Image.Exif()
            exif[0x0112] = orientation
            options = (LOSSLESS | LOSSY)[kind]
            assert far(alone(read(saved(SCENE, kind, exif=exif, **options))), turned) < 8, (kind, orientation)


def encoded(suffix, picture):
    done, data = cv2.imencode(suffix, picture)
    assert done
    return data.tobytes()


def test_twelve_bits_of_sixteen_are_as_bright_as_eight(read):
    for deep in (GREY.astype(np.uint16) << 4, BGR.astype(np.uint16) << 4, GREY.astype(np.uint16) << 8):
        want = deep >> 4 if deep.max() < 4096 else deep >> 8
        want = np.stack([want] * 3, axis=-1) if want.ndim == 2 else want
        for suffix in (".png", ".tiff", ".jp2", ".pgm" if deep.ndim == 2 else ".ppm"):
            assert far(alone(read(encoded(suffix, deep))), want) <= (suffix == ".jp2"), suffix


def test_depths_that_the_file_states(read):
    for white in (1, 100, 255, 1023, 4095):
        samples = np.round(GREY / 255 * white / 2)  # half as bright as it could be
        kind = ">u2" if white > 255 else "u1"
        head = b"P5\n# a camera's\n64 48\n%d\n" % white
        found = alone(read(head + samples.astype(kind).tobytes()))[..., 0]
        assert np.abs(found - samples / white * 255).max() <= 1.01, white


def test_samples_with_a_point(read):
    for suffix, scale in ((".tiff", 1 / 255), (".tiff", 16), (".hdr", 1 / 255), (".pfm", 1 / 255)):
        pictures = (GREY, BGR) if suffix == ".tiff" else (BGR,)
        for picture in pictures:
            want = np.stack([picture] * 3, axis=-1) if picture.ndim == 2 else picture
            assert far(alone(read(encoded(suffix, picture.astype(np.float32) * scale))), want) < 1.5, suffix


def test_deep_grey_whose_zero_is_white(read):
    mark = b"\x06\x01\x03\0\1\0\0\0\1\0"
    for picture in (GREY, GREY.astype(np.uint16) * 257):
        data = saved(Image.fromarray(picture), "TIFF")
        assert mark in data
        found = alone(read(data.replace(mark, mark[:-2] + b"\0\0")))
        assert far(found[..., 0], 255 - GREY) <= 1, picture.dtype


COLOURS = [(200, 10 * each, 30) for each in range(5)]
LONG = [100, 50, 200, 70, 30]


def animation(kind, **options):
    first, *rest = [Image.new("RGB", (40, 30), colour) for colour in COLOURS]
    return saved(first, kind, save_all=True, append_images=rest, **options)


def test_animations_give_all_frames_with_their_times(read):
    for kind, options in (("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True}), ("AVIF", {"quality": 95})):
        found = read(animation(kind, duration=LONG, **options))
        assert [round(time, 3) for _, time in found] == [0, 0.1, 0.15, 0.35, 0.42], kind
        for (picture, _), colour in zip(found, COLOURS, strict=True):
            assert np.abs(picture.mean((0, 1)) - colour[::-1]).max() < 6, kind


def test_frames_of_a_gif_without_a_time_last_as_long_as_players_show_them(read):
    for shown_ms in (0, 10):
        times = [time for _, time in read(animation("GIF", duration=shown_ms))]
        assert times == [0, 0.1, 0.2, 0.3, 0.4], shown_ms


def test_pages_are_frames_without_a_time_and_previews_are_none(read):
    found = read(animation("TIFF"))
    assert [time for _, time in found] == [None] * 5
    assert [tuple(picture[0, 0]) for picture, _ in found] == [colour[::-1] for colour in COLOURS]
    done, deep = cv2.imencodemulti(".tiff", [np.full((8, 9), 4000 // each, np.uint16) for each in (1, 2, 4)])
    assert done
    assert [int(picture.max()) for picture, _ in read(deep.tobytes())] == [250, 125, 62]
    file = io.BytesIO()
    SCENE.save(file, "TIFF", save_all=True, append_images=[SCENE.resize((8, 6))], tiffinfo={254: 1})
    assert read(file.getvalue()) == ["it holds previews only"]


def test_the_picture_for_readers_without_animation_is_no_frame(read):
    assert len(read(animation("PNG", duration=LONG, default_image=True))) == 4


def test_an_animation_that_is_cut_gives_what_it_has(read):
    data = animation("GIF", duration=LONG)
    *whole, reason = read(data[: len(data) * 2 // 3])
    assert 0 < len(whole) < 5
    assert reason == "it is cut off or damaged"


def test_a_png_whose_bytes_changed(read):
    data = bytearray(saved(SCENE, "PNG"))
    data[len(data) // 2] ^= 1
    assert read(bytes(data)) == ["it is damaged"]


def test_what_is_no_picture_or_too_large(read):
    assert read(b"") == ["it is empty"]
    for data in (b"hello", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200), b"\0" * 5000):
        (reason,) = read(data, "a.heic")
        assert reason.startswith("no picture of a format that is read: JPEG, PNG, "), data[:9]
    for data in (
        png_file(60_000, 60_000, rows=b""),
        saved(SCENE, "BMP").replace(b"\x40\0\0\0\x30\0\0\0", b"\x60\xea\0\0\x60\xea\0\0"),
    ):
        (reason,) = read(data)
        assert "pixels" in reason, reason
