"""Pictures: formats, depths, orientations, animations, and names that lie."""

from functools import partial

import numpy as np
from kits.ffmpeg import ffmpeg
from kits.media.expected import Refused, Whole
from kits.media.making import Video, Written
from kits.media.row import Row
from kits.media.stills import UPRIGHT, Truth, animated, by_opencv, exif, grey, image, picture, saved
from PIL import Image

COLOUR = Truth(lambda: [picture()])
GREY = Truth(lambda: [grey()])
JPEG = {"quality": 97, "subsampling": 0}


def _row(name, maker, truth=COLOUR, *, short=False, **how):
    return Row(name, maker, Whole(truth, **how), short)


def _black_and_white():
    return np.asarray(image("1").convert("L"))


def _palette():
    return np.asarray(image().quantize(64).convert("RGB"))[..., ::-1]


def _turned(name, orientation, *, short=False, **options):
    """A picture that is stored otherwise than it was seen."""
    stored = saved(exif=exif(orientation), **options)
    return _row(name, stored, Truth(lambda: [UPRIGHT[orientation](picture())]), short=short)


def _frames(count=5, mode="RGB"):
    return lambda: [np.asarray(image(mode, at).convert("RGB"))[..., ::-1] for at in range(count)]


def _deep(shift):
    """Grey samples of 8 + `shift` bits in 16."""
    return grey().astype(np.uint16) << shift


def _from_video(*arguments):
    def write(path):
        draft = path.with_name(f"{path.name}.mkv")
        Video("-c:v ffv1", frames=1, pixels="gbrp").write(draft)
        ffmpeg("-i", draft, "-frames:v", "1", "-update", "1", *arguments, path)

    return Written(write)


TENTHS = [0.0, 0.1, 0.2, 0.3, 0.4]
FRAMES = partial(Truth, times_s=TENTHS)

ROWS = [
    _row("plain.jpg", saved(**JPEG), short=True),
    _row("half-colours.jpeg", saved(quality=97)),
    _row("progressive.jpg", saved(progressive=True, **JPEG), short=True),
    _row("restarts.jpg", saved(restart_marker_blocks=4, **JPEG)),
    _row("grey.jpg", saved("L", quality=97), GREY),
    _row("four-inks.jpg", saved("CMYK", quality=97), Truth(lambda: [picture()]), short=True),
    *(_row(f"suffix.{suffix}", saved(format="JPEG", **JPEG)) for suffix in ("jfif", "jpe", "jif", "JPG")),
    _row("several.mpo", saved(format="MPO", **JPEG)),
    *(_turned(f"turned-{number}.jpg", number, short=number in {6, 7}, **JPEG) for number in UPRIGHT),
    _turned("turned-6.png", 6),
    _turned("turned-8.webp", 8, lossless=True),
    _turned("turned-3.tif", 3),
    _row("colour.png", saved()),
    _row("interlaced.png", _from_video("-c:v", "png", "-flags", "+ildct")),
    _row("alpha.png", saved("RGBA")),
    _row("grey.png", saved("L"), GREY),
    _row("grey-alpha.png", saved("LA"), GREY),
    _row("palette.png", saved(made=lambda: image().quantize(64)), Truth(lambda: [_palette()])),
    _row("one-bit.png", saved("1"), Truth(lambda: [_black_and_white()])),
    _row("sixteen-bits.png", by_opencv(picture().astype(np.uint16) * 257), saying="bit", short=True),
    _row("twelve-of-sixteen-bits.png", by_opencv(_deep(4)), GREY, saying="bit", short=True),
    _row("ten-of-sixteen-bits.tiff", by_opencv(_deep(2)), GREY, saying="bit"),
    _row("eight-of-sixteen-bits.png", by_opencv(_deep(0)), GREY, saying="bit"),
    _row("sixteen-bits.pgm", by_opencv(_deep(8)), GREY),
    _row("floats.tiff", by_opencv(picture().astype(np.float32) / 255), saying="bit"),
    _row("floats.hdr", by_opencv(picture().astype(np.float32) / 255), saying="bit"),
    _row("floats.pfm", by_opencv(grey().astype(np.float32) / 255), GREY, saying="bit"),
    _row("colour.bmp", saved()),
    _row("palette.bmp", saved(made=lambda: image().quantize(64)), Truth(lambda: [_palette()])),
    _row("one-bit.bmp", saved("1"), Truth(lambda: [_black_and_white()])),
    _row("alpha.bmp", saved("RGBA")),
    _row("colour.dib", saved()),
    _row("lossy.webp", saved(quality=98)),
    _row("lossless.webp", saved(lossless=True)),
    _row("alpha.webp", saved("RGBA", lossless=True, exact=True)),
    *(
        _row(f"{packing}.tif", saved(compression=packing))
        for packing in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")
    ),
    _row("jpeg.tiff", saved(compression="jpeg", quality=97)),
    _row("four-inks.tiff", saved("CMYK")),
    _row("grey.tiff", saved("L"), GREY),
    _row("one-bit.tiff", saved("1", compression="group4"), Truth(lambda: [_black_and_white()])),
    _row("pages.tiff", animated(), Truth(_frames()), short=True),
    _row("colour.avif", saved(quality=95, subsampling="4:4:4"), short=True),
    _row("colour.jp2", saved()),
    _row("colour.j2k", saved()),
    _row("colour.ppm", saved()),
    _row("grey.pgm", saved("L"), GREY),
    _row("one-bit.pbm", saved("1"), Truth(lambda: [_black_and_white()])),
    _row("colour.qoi", saved()),
    _row("colour.sgi", saved()),
    _row("colour.pcx", saved()),
    _row("colour.ico", saved(made=lambda: image().resize((64, 64)), sizes=[(64, 64)]), Truth(lambda: [np.asarray(image().resize((64, 64)))[..., ::-1]])),
    _row("still.gif", saved(made=lambda: image().quantize(64)), Truth(lambda: [_palette()])),
    _row("animated.webp", animated(duration=100, lossless=True), FRAMES(_frames()), short=True),
    _row("animated.png", animated(duration=100), FRAMES(_frames())),
    _row("animated.apng", animated(duration=100, format="PNG"), FRAMES(_frames())),
    _row("animated.avif", animated(duration=100, quality=95, subsampling="4:4:4"), FRAMES(_frames())),
    _row("unsteady.webp", animated(duration=[100, 300, 50, 50, 100], lossless=True), Truth(_frames(), [0.0, 0.1, 0.4, 0.45, 0.5])),
    _row("png-by-name-jpeg.jpg", saved(format="PNG"), short=True),
    _row("jpeg-by-name-png.png", saved(format="JPEG", **JPEG)),
    _row("jpeg-without-suffix", saved(format="JPEG", **JPEG)),
    _row("with-profile.png", saved(icc_profile=b"not read" * 40)),
    Row("half-floats.exr", _from_video("-c:v", "exr"), Refused(("exr",))),
    Row("colour.jxl", _from_video("-c:v", "libjxl"), Refused(("colour.jxl",))),
    Row("bomb.png", saved(made=lambda: Image.new("1", (20_000, 20_000))), Refused(("bomb.png",))),
    Row("nothing.jpg", Written(lambda path: path.write_bytes(b"")), Refused(("nothing.jpg",))),
    Row("text.png", Written(lambda path: path.write_text("This is no picture.\n" * 9)), Refused(("text.png",))),
]  # fmt: skip
