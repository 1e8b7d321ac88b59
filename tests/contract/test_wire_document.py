"""shared/wire/WIRE.md says what shared/wire/frame.py does: the tables and limits of the page against the code."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

import numpy as np
from kits.codecs import ready
from kits.pages import tables_in

from cloud.access import refusals
from cloud.metrics import STEPS
from shared import errors, limits
from shared.codecs import CODECS
from shared.codecs.base import STATE_BYTES
from shared.codecs.calibrated.context_model import CLASSES, LATENT_LIMIT, OWN_KINDS, PREDICTIONS
from shared.codecs.calibrated.entropy import SCALE
from shared.codecs.calibrated.inter.history import CONTEXTS, UNRESTS
from shared.codecs.calibrated.inter.tables import PREVIOUS, SIGNS
from shared.codecs.calibrated.profile import FORMAT, FORMAT_2, FORMAT_3, FORMAT_4, HASH_BYTES
from shared.wire import frame as wire
from shared.wire.http import ANSWER_STEPS, CONTENT_TYPE

PAGE = (Path(__file__).resolve().parents[2] / "shared" / "wire" / "WIRE.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())


def tables(heading: str) -> list[list[list[str]]]:
    """The cells of every table below a heading, each without its own heading row."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return tables_in(section)


def table(heading: str) -> list[list[str]]:
    return tables(heading)[0]


LAYOUT = table("Layout of version 1")
LAYOUT_2, ROW = tables("Layout of version 2")
TENSORS = (
    wire.EncodedTensor(0x0605, (1, 2, 3), b"pp", b"payload"),
    wire.EncodedTensor(0x0807, (4,), b"", b"more"),
)
VALUES = {
    "magic": b"SDNF",
    "fingerprint": b"FINGERPR",
    "frame id": struct.pack("<Q", 0x11),
    "capture time": struct.pack("<Q", 0x22),
    "deadline": struct.pack("<I", 0x33),
    "split point length": b"\x04",
    "reserved": b"\0",
}
OF_TENSOR = {
    "rank": b"\x03",
    "codec": b"\x05\x06",
    "shape": struct.pack("<4H", 1, 2, 3, 0),
    "parameter length": b"\x02\0",
    "payload length": b"\x07\0\0\0",
}


def packed(count: int) -> bytes:
    return wire.pack(wire.Frame("name", TENSORS[:count], b"FINGERPR", 0x11, 0x22, 0x33))


def cut(data: bytes, layout: list[list[str]]) -> dict[str, bytes]:
    return {row[2]: data[int(row[0]) : int(row[0]) + int(row[1])] for row in layout}


def test_offsets_and_sizes_are_the_headers() -> None:
    for layout, header in ((LAYOUT, wire.HEADER), (LAYOUT_2, wire.HEADER_2), (ROW, wire.TENSOR)):
        groups = re.findall(r"\d*[A-Za-z]", header.format.removeprefix("<"))
        sizes = [struct.calcsize(f"<{group}") for group in groups]
        offsets = [sum(sizes[:index]) for index in range(len(sizes))]
        assert [(int(row[0]), int(row[1])) for row in layout] == list(zip(offsets, sizes, strict=True))


def test_the_fields_of_version_1_are_in_the_order_in_which_the_code_names_them() -> None:
    data = packed(1)
    where = cut(data, LAYOUT)
    assert where.pop("CRC") != bytes(4)
    assert where == {"version": b"\x01", **VALUES, **OF_TENSOR}
    assert data[wire.HEADER.size :] == b"name" + b"pp" + b"payload"


def test_the_fields_of_version_2_are_in_the_order_in_which_the_code_names_them() -> None:
    data = packed(2)
    where = cut(data, LAYOUT_2)
    assert int.from_bytes(where.pop("CRC"), "little") == zlib.crc32(
        data[wire.HEADER_2.size :], zlib.crc32(data[:36])
    )
    assert where == {"version": b"\x02", "tensors": b"\x02", **VALUES}
    start = wire.HEADER_2.size
    assert cut(data[start:], ROW) == {"reserved": b"\0", **OF_TENSOR}
    second = cut(data[start + wire.TENSOR.size :], ROW)
    assert (second["codec"], second["shape"]) == (b"\x07\x08", struct.pack("<4H", 4, 0, 0, 0))
    assert data[start + 2 * wire.TENSOR.size :] == b"name" + b"pp" + b"payload" + b"more"


def test_a_limit_in_the_layouts_is_the_codes() -> None:
    first: dict[str, tuple[str, int | str]] = {
        "magic": (r"`(\w+)`", wire.MAGIC.decode()),
        "version": (r"(\d+)", 1),
        "rank": (r"1 to (\d+)", limits.MAX_RANK),
        "split point length": (r"at most (\d+)", limits.MAX_SPLIT_POINT_BYTES),
        "parameter length": (r"at most (\d+)", limits.MAX_PARAMS_BYTES),
        "payload length": (r"at most (\d+)", limits.MAX_PAYLOAD_BYTES),
        "CRC": (r"bytes 0 to (\d+)", wire.HEADER.size - 5),
    }
    second = {
        "version": (r"(\d+)", 2),
        "tensors": (r"1 to (\d+)", limits.MAX_TENSORS),
        "CRC": (r"bytes 0 to (\d+)", wire.HEADER_2.size - 5),
    }
    row = {field: first[field] for field in ("rank", "parameter length", "payload length")}
    for layout, expected in (
        (LAYOUT, first),
        (LAYOUT_2, second | {field: first[field] for field in ("magic", "split point length")}),
        (ROW, row),
    ):
        meaning = {each[2]: each[3] for each in layout}
        for field, (pattern, constant) in expected.items():
            found = re.search(pattern, meaning[field])
            assert found, meaning[field]
            assert found[1] == str(constant), field


def test_a_number_in_the_text_is_the_codes() -> None:
    for sentence in (
        f"# The wire format, version {wire.VERSIONS[-1]} ",
        f"`{CONTENT_TYPE}`",
        f"The header has a fixed size of {wire.HEADER.size} bytes",
        f"The header has a fixed size of {wire.HEADER_2.size} bytes",
        f"one row of {wire.TENSOR.size} bytes for each tensor",
        f"or the 2 to {limits.MAX_TENSORS} tensors",
        f"1 to {limits.MAX_RANK} dimensions, each 1 to {limits.MAX_DIMENSION}; all shapes of a frame together at most {limits.MAX_ELEMENTS} elements",
        f"| this frame | {wire.HEADER.size} bytes; of n tensors {wire.HEADER_2.size} + {wire.TENSOR.size} n |",
        f"An answer is at most {limits.MAX_REPLY_BYTES} bytes long",
        f"a safetensors file of at most {limits.MAX_PROFILE_BYTES} bytes, its header at most {limits.MAX_PROFILE_HEADER_BYTES} of them",
        f"| format | `{FORMAT}`, or `{FORMAT_2}` where",
        f"marked 2 below; `{FORMAT_3}` where one is marked 3,",
        f"`levels` (2 to {limits.MAX_LEVELS}), `groups` (1 to {limits.MAX_GROUPS}, at most the channels)",
        f"r is any rank from 1 to {limits.MAX_CONTEXT_RANK}",
        f"(kinds, {OWN_KINDS}, {PREDICTIONS}) | 0 to {CLASSES - 1} |",
        f"each row sums to {SCALE};",
        f"q from 1 to {limits.MAX_CORRECTOR_RANK} |",
        f"not there at 2 levels; at most {limits.MAX_CODING_TABLES} rows |",
        f"there are at most {limits.MAX_CODING_TABLES} kinds",
        f"strings of a profile together are at most {limits.MAX_PROFILE_STRINGS_BYTES} bytes as JSON",
        f"at most {limits.MAX_JPEG_SCANS} scans and, before the first of them, at most {limits.MAX_PICTURE_PIECES} segments",
        f"a PNG at most {limits.MAX_PNG_TEXT_BYTES} bytes of comments, and {limits.MAX_PICTURE_PIECES} chunks besides one for each 1024",
        f"4 bytes for each of the picture's values, and {limits.MAX_PICTURE_EXTRA_BYTES} more",
        f"({UNRESTS}, {CONTEXTS}, {CLASSES}) | for every pass s; 0 to {CLASSES - 1} |",
        f"Its profile has the format `{FORMAT_4}`",
        f"(tables, {PREVIOUS}, levels - 1) | positive,",
        f"at most {limits.MAX_CODING_TABLES} rows; `magnitude_kind`",
        f"| `inter.signs` | uint16 | ({SIGNS},) |",
        f"one byte for each of the picture's values, and {limits.MAX_PICTURE_EXTRA_BYTES} more. The size",
        f"clipped to -{LATENT_LIMIT} … {LATENT_LIMIT}",
    ):
        assert sentence in TEXT, sentence


def test_the_codecs_are_the_registrys() -> None:
    assert [(int(row[0]), row[1]) for row in table("Codecs")] == [
        (codec.id, codec.name) for codec in CODECS.values()
    ]


def test_a_codec_has_the_parameters_that_its_row_names() -> None:
    sizes = {"none": 0, "scale (binary32), zero point (1 byte)": 5, "as 5": 5, "as 5, the network's own": 5,
             "the state that it needs, 4 bytes": 4}  # fmt: skip
    for number, name, params, payload in table("Codecs"):
        codec = CODECS[int(number)]
        if name == "calibrated-inter":
            assert params == f"as 16, then {STATE_BYTES} bytes: the state that the frame needs"
            continue
        if name == "calibrated":
            expected = f"the profile's name, {HASH_BYTES} bytes; none for the other tensors of a frame"
            assert params == expected
            continue
        shape = (2, 3, 3)
        array = np.ones(shape, np.uint8 if codec.carries == "picture" else np.float32)
        assert len(ready(codec).encode(array).params) == sizes[params], name
        assert ("picture" in payload) == (codec.carries == "picture"), name
        assert name.endswith("+zstd") == ("Zstandard" in payload), name


def test_the_steps_of_an_answer_are_the_clouds() -> None:
    assert ANSWER_STEPS == STEPS
    said = re.search(r"`stages_ms` has the milliseconds of each step \(([^)]*)\)", TEXT)
    assert said is not None
    assert tuple(re.findall("`([a-z]+)`", said.group(1))) == ANSWER_STEPS


def test_every_refusal_has_a_status_that_the_answer_lists() -> None:
    section = " ".join(PAGE.split("## The answer\n")[1].split("\n## ")[0].split())
    listed = {int(number) for number in re.findall(r"\b([45]\d\d)\b", section)}
    modules = {errors.__name__, refusals.__name__}
    ours = {cls for cls in errors.all_request_errors() if cls.__module__ in modules}
    of_frames = ours - {errors.BundleNotServedError, refusals.UnknownModelError}
    assert listed == {cls.status for cls in of_frames}
