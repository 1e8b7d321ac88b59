"""Marks of colour: matrix, range, and what is unmarked."""

from kits.media.expected import Whole
from kits.media.making import Copied, Video
from kits.media.row import Row

H264 = "-c:v libx264 -crf 8"
# The matrix with which the filter `scale` converts, and the mark.
MATRICES = {
    "bt709": "bt709",
    "bt470bg": "bt470bg",
    "smpte170m": "smpte170m",
    "smpte240m": "smpte240m",
    "fcc": "fcc",
    "bt2020": "bt2020nc",
}

PQ = "setparams=color_primaries=bt2020:color_trc=smpte2084"
HLG = "setparams=color_primaries=bt2020:color_trc=arib-std-b67"


def _converted(matrix, behind="", *, full=False):
    """Converted by this matrix and range, and marked so."""
    wide = "full" if full else "limited"
    return (
        f"-vf scale=out_color_matrix={matrix}:out_range={wide}{behind} -colorspace {MATRICES[matrix]} "
        f"-color_range {'pc' if full else 'tv'}"
    )


def _row(name, encode, *, short=False, saying="", **how):
    return Row(name, Video(encode, **how), Whole(saying=saying), short)


ROWS = [
    *(_row(f"{matrix}.mp4", f"{H264} {_converted(matrix)}", short=matrix == "bt709") for matrix in MATRICES),
    *(
        _row(f"{matrix}-full.mp4", f"{H264} {_converted(matrix, full=True)}", short=matrix == "bt2020")
        for matrix in MATRICES
    ),
    *(
        _row(f"{matrix}.mkv", f"-c:v ffv1 {_converted(matrix)}")
        for matrix in ("bt709", "smpte240m", "bt2020")
    ),
    *(
        _row(f"{matrix}-444.mkv", f"{H264} {_converted(matrix)}", pixels="yuv444p")
        for matrix in ("bt709", "bt470bg", "bt2020")
    ),
    *(
        _row(f"{matrix}-422-full.mkv", f"{H264} {_converted(matrix, full=True)}", pixels="yuv422p")
        for matrix in ("bt709", "bt470bg")
    ),
    *(
        _row(f"{matrix}-10-bit.mkv", f"{H264} {_converted(matrix)}", pixels="yuv420p10le")
        for matrix in ("bt709", "bt470bg", "bt2020")
    ),
    *(
        _row(f"{matrix}-10-bit-full.mkv", f"{H264} {_converted(matrix, full=True)}", pixels="yuv420p10le")
        for matrix in ("bt709", "bt2020")
    ),
    *(
        _row(
            f"{matrix}-h265.mp4",
            f"-c:v libx265 -x265-params crf=8:log-level=none {_converted(matrix, full=full)}",
        )
        for matrix, full in (("bt709", False), ("bt2020", True))
    ),
    *(
        _row(f"{matrix}-vp9.webm", f"-c:v libvpx-vp9 -crf 8 -b:v 0 -cpu-used 8 {_converted(matrix)}")
        for matrix in ("bt709", "bt470bg")
    ),
    _row("bt709-full-av1.mp4", f"-c:v libsvtav1 -crf 8 -preset 10 {_converted('bt709', full=True)}"),
    _row("bt709-mpeg2.ts", f"-c:v mpeg2video -q:v 2 {_converted('bt709')}", rate="25"),
    _row("bt709-prores.mov", f"-c:v prores_ks {_converted('bt709')}", pixels="yuv422p10le"),
    _row("bt709-large.mp4", f"{H264} {_converted('bt709')}", size="1280x720", frames=3),
    _row("unmarked.mp4", H264, short=True),
    _row(
        "unmarked-large.mp4",
        f"{H264} -vf scale=out_color_matrix=bt709",
        size="1280x720",
        frames=3,
        short=True,
    ),
    _row("unmarked-huge.mkv", f"{H264} -vf scale=out_color_matrix=bt709", size="3840x2160", frames=2),
    _row("unmarked-full-by-format.avi", "-c:v mjpeg -q:v 2", pixels="yuvj420p"),
    _row("limited-jpeg.mkv", "-c:v mjpeg -q:v 2 -strict -1 -color_range tv", pixels="yuv420p"),
    _row("red-green-blue.mp4", "-c:v libx264rgb -crf 8", pixels="rgb24"),
    _row("red-green-blue-limited.mkv", "-c:v ffv1 -color_range tv", pixels="gbrp"),
    _row("green-blue-red-h265.mp4", "-c:v libx265 -x265-params crf=8:log-level=none", pixels="gbrp"),
    _row("grey-full.mkv", f"{H264} -vf scale=out_range=full -color_range pc", pixels="gray"),
    _row("grey-limited.mkv", f"{H264} -vf scale=out_range=limited -color_range tv", pixels="gray"),
    _row(
        "hdr-pq.mp4",
        f"-c:v libx265 -x265-params crf=8:log-level=none {_converted('bt2020', ',' + PQ)}",
        pixels="yuv420p10le",
        saying="HDR",
        short=True,
    ),
    _row(
        "hdr-hlg.mkv",
        f"{H264} {_converted('bt2020', ',' + HLG)}",
        pixels="yuv420p10le",
        saying="HDR",
    ),
    Row(
        "bt709-marked-by-the-container.mkv",
        Copied(
            Video(f"{H264} -vf scale=out_color_matrix=bt709"), behind="-colorspace:v bt709 -color_range:v tv"
        ),
        Whole(),
    ),
    Row(
        "bt709-marked-by-the-codec.ts",
        Copied(
            Video(f"{H264} -vf scale=out_color_matrix=bt709"),
            behind="-bsf:v h264_metadata=matrix_coefficients=1:video_full_range_flag=0",
        ),
        Whole(),
    ),
    Row(
        "full-marked-by-the-codec.mp4",
        Copied(
            Video(f"{H264} -vf scale=out_range=full"), behind="-bsf:v h264_metadata=video_full_range_flag=1"
        ),
        Whole(),
    ),
]
