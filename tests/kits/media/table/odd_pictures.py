"""Pictures that few programs write: layouts by ffmpeg, files written by hand, animations with parts of frames."""

from functools import partial

import numpy as np
from kits.ffmpeg import ffmpeg
from kits.media.expected import Refused, Whole
from kits.media.making import Video, Written, kept
from kits.media.reference import shown
from kits.media.row import Row
from kits.media.stills import HEIGHT, WIDTH, Truth, by_opencv, exif, grey, image, picture, saved
from PIL import Image

COLOUR = Truth(lambda: [picture()])
GREY = Truth(lambda: [grey()])
LOSSLESS = Video("-c:v ffv1", frames=5, pixels="gbrp")
FRAMES = Truth(lambda: [picture(at) for at in range(5)], [0.0, 0.1, 0.2, 0.3, 0.4])


def _write(path, *, frames, arguments):
    origin = kept(LOSSLESS, path.parent, ".mkv")
    ffmpeg("-i", origin, "-frames:v", frames, *(["-update", "1"] if frames == 1 else []), *arguments, path)


def _by_ffmpeg(name, *arguments, frames=1, truth=COLOUR, short=False, **how):
    return Row(name, Written(partial(_write, frames=frames, arguments=arguments)), Whole(truth, **how), short)


def _refused(name, *arguments):
    return Row(name, Written(partial(_write, frames=1, arguments=arguments)), Refused((name,)))


def _bytes(make):
    return Written(lambda path: path.write_bytes(make()))


def _portable(white, *, text=False):
    """A PGM or PPM in which this number is white."""
    samples = np.rint(grey().astype(np.float64) / 255 * white).astype(int)
    head = f"{'P2' if text else 'P5'}\n# a remark\n{WIDTH} {HEIGHT}\n{white}\n".encode()
    return head + (" ".join(map(str, samples.ravel())).encode() if text else samples.astype(">u2").tobytes())


def _run_length_bitmap():
    """A BMP whose eight bits a pixel are packed as runs of one."""
    rows = b"".join(b"".join(bytes((1, value)) for value in row) + b"\0\0" for row in grey()[::-1].tolist())
    palette = b"".join(bytes((value, value, value, 0)) for value in range(256))
    start = 14 + 40 + len(palette)
    header = b"BM" + (start + len(rows) + 2).to_bytes(4, "little") + bytes(4) + start.to_bytes(4, "little")
    size = WIDTH.to_bytes(4, "little") + HEIGHT.to_bytes(4, "little")
    info = (40).to_bytes(4, "little") + size + b"\1\0\x08\0" + (1).to_bytes(4, "little")
    info += (len(rows) + 2).to_bytes(4, "little") + bytes(8) + (256).to_bytes(4, "little") + bytes(4)
    return header + info + palette + rows + b"\0\1"


def _deep_alpha():
    samples = picture().astype(np.uint16) * 257
    return np.dstack([samples, np.full((HEIGHT, WIDTH), 30_000, np.uint16)])


ROWS = [
    _by_ffmpeg("thin-colours.jpg", "-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj422p"),
    _by_ffmpeg("limited.jpg", "-c:v", "mjpeg", "-q:v", "2", "-strict", "-1", "-pix_fmt", "yuv444p", "-color_range", "pc"),
    _refused("jpeg-ls.jls", "-c:v", "jpegls", "-pix_fmt", "bgr24"),
    _by_ffmpeg("sixteen.bmp", "-c:v", "bmp", "-pix_fmt", "rgb565le", truth=shown, clock="none"),
    _by_ffmpeg("thirty-two.bmp", "-c:v", "bmp", "-pix_fmt", "bgra"),
    _by_ffmpeg("palette-by-ffmpeg.tiff", "-c:v", "tiff", "-pix_fmt", "rgb24", "-compression_algo", "deflate"),
    _by_ffmpeg("luma.tiff", "-c:v", "tiff", "-pix_fmt", "yuv444p"),
    _by_ffmpeg("by-ffmpeg.pam", "-c:v", "pam", "-pix_fmt", "rgb24"),
    _by_ffmpeg("alpha.pam", "-c:v", "pam", "-pix_fmt", "rgba", short=True),
    _by_ffmpeg("grey.pam", "-c:v", "pam", "-pix_fmt", "gray", truth=GREY),
    _by_ffmpeg("grey-alpha.pam", "-c:v", "pam", "-pix_fmt", "ya8", truth=GREY),
    _by_ffmpeg("deep.pam", "-c:v", "pam", "-pix_fmt", "rgb48be", saying="bit"),
    Row("by-opencv.pam", by_opencv(picture()), Whole(COLOUR)),
    _by_ffmpeg("by-ffmpeg.sgi", "-c:v", "sgi", "-rle", "0", "-pix_fmt", "rgb24"),
    _by_ffmpeg("by-ffmpeg.ras", "-c:v", "sunrast", "-pix_fmt", "bgr24"),
    _by_ffmpeg("by-ffmpeg.qoi", "-c:v", "qoi", "-pix_fmt", "rgb24"),
    _by_ffmpeg("by-ffmpeg.jp2", "-c:v", "libopenjpeg", "-pix_fmt", "rgb24"),
    _by_ffmpeg("by-ffmpeg.webp", "-c:v", "libwebp", "-lossless", "1", "-pix_fmt", "bgra"),
    _by_ffmpeg("deep.avif", "-c:v", "libaom-av1", "-crf", "5", "-pix_fmt", "yuv444p10le", "-still-picture", "1", "-cpu-used", "8"),
    _by_ffmpeg("half-colours.avif", "-c:v", "libsvtav1", "-crf", "5", "-pix_fmt", "yuv420p"),
    _by_ffmpeg("parts-of-frames.apng", "-c:v", "apng", "-pix_fmt", "rgba", "-f", "apng", "-plays", "0", frames=5, truth=FRAMES),
    _by_ffmpeg("parts-of-frames.webp", "-c:v", "libwebp_anim", "-lossless", "1", "-pix_fmt", "bgra", frames=5, truth=FRAMES, short=True),
    Row("white-is-4095.pgm", _bytes(lambda: _portable(4095)), Whole(GREY)),
    Row("white-is-1000.pgm", _bytes(lambda: _portable(1000)), Whole(GREY)),
    Row("as-text.pgm", _bytes(lambda: _portable(255, text=True)), Whole(GREY)),
    Row("runs.bmp", _bytes(_run_length_bitmap), Whole(GREY)),
    Row("deep-alpha.png", by_opencv(_deep_alpha()), Whole(COLOUR, saying="bit")),
    Row("deep-packed.tiff", by_opencv(picture().astype(np.uint16) * 257, 259, 5), Whole(COLOUR, saying="bit")),
    Row("doubles.tiff", by_opencv(picture().astype(np.float64) / 255), Whole(COLOUR, saying="bit")),
    Row("clear.png", saved(made=lambda: image().quantize(64), transparency=0), Whole(Truth(lambda: [np.asarray(image().quantize(64).convert("RGB"))[..., ::-1]]))),
    Row("half-colours-turned.jpg", saved(quality=97, exif=exif(8)), Whole(Truth(lambda: [np.rot90(picture(), 1)]))),
    Row("large-remark.jpg", saved(quality=97, subsampling=0, comment=b"\xff\xd9 not the end " * 3000), Whole(COLOUR)),
    Row("thumbnail-first.jpg", saved(made=image, quality=97, subsampling=0, extra=b"\xff\xe3\x00\x0a\xff\xd8\xff\xd9\xff\xd8\xff\xd9"), Whole(COLOUR)),
    Row("one-pixel.png", saved(made=lambda: Image.new("RGB", (1, 1), (10, 20, 30))), Whole(Truth(lambda: [np.uint8([[[30, 20, 10]]])]))),
    Row("one-line.jpg", saved(made=lambda: image().crop((0, 0, WIDTH, 1)), quality=99, subsampling=0), Whole(Truth(lambda: [picture()[:1]]))),
]  # fmt: skip
