"""shared/wire/WIRE.md says what shared/wire/frame.py does: the tables and limits of the page against the code."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np

from shared import errors, limits
from shared.codecs import CODECS
from shared.codecs.calibrated.context_model import CLASSES, LATENT_LIMIT, OWN_KINDS, PREDICTIONS
from shared.codecs.calibrated.entropy import SCALE
from shared.codecs.calibrated.profile import FORMAT, HASH_BYTES
from shared.wire import frame as wire
from shared.wire.http import CONTENT_TYPE

PAGE = (Path(__file__).resolve().parents[2] / "shared" / "wire" / "WIRE.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its own heading row."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line[:1] == "|"
    ]
    return rows[2:]


LAYOUT = table("Layout")
MEANING = {row[2]: row[3] for row in LAYOUT}


def test_offsets_and_sizes_are_the_headers() -> None:
    groups = re.findall(r"\d*[A-Za-z]", wire.HEADER.format.removeprefix("<"))
    sizes = [struct.calcsize(f"<{group}") for group in groups]
    offsets = [sum(sizes[:index]) for index in range(len(sizes))]
    assert [(int(row[0]), int(row[1])) for row in LAYOUT] == list(zip(offsets, sizes, strict=True))


def test_the_fields_are_in_the_order_in_which_the_code_names_them() -> None:
    frame = wire.Frame("name", 0x0605, (1, 2, 3), b"pp", b"payload", b"FINGERPR", 0x11, 0x22, 0x33)
    data = wire.pack(frame)
    where = {row[2]: data[int(row[0]) : int(row[0]) + int(row[1])] for row in LAYOUT}
    assert where.pop("CRC") != bytes(4)
    assert where == {
        "magic": b"SDNF",
        "version": b"\x01",
        "rank": b"\x03",
        "codec": b"\x05\x06",
        "fingerprint": b"FINGERPR",
        "frame id": struct.pack("<Q", 0x11),
        "capture time": struct.pack("<Q", 0x22),
        "deadline": struct.pack("<I", 0x33),
        "shape": struct.pack("<4H", 1, 2, 3, 0),
        "split point length": b"\x04",
        "reserved": b"\0",
        "parameter length": b"\x02\0",
        "payload length": b"\x07\0\0\0",
    }
    assert data[wire.HEADER.size :] == b"name" + b"pp" + b"payload"


def test_a_limit_in_the_layout_is_the_codes() -> None:
    expected: dict[str, tuple[str, int | str]] = {
        "magic": (r"`(\w+)`", wire.MAGIC.decode()),
        "version": (r"(\d+)", wire.VERSION),
        "rank": (r"1 to (\d+)", limits.MAX_RANK),
        "split point length": (r"at most (\d+)", limits.MAX_SPLIT_POINT_BYTES),
        "parameter length": (r"at most (\d+)", limits.MAX_PARAMS_BYTES),
        "payload length": (r"at most (\d+)", limits.MAX_PAYLOAD_BYTES),
        "CRC": (r"bytes 0 to (\d+)", wire.HEADER.size - 5),
    }
    for field, (pattern, constant) in expected.items():
        found = re.search(pattern, MEANING[field])
        assert found, MEANING[field]
        assert found[1] == str(constant), field


def test_a_number_in_the_text_is_the_codes() -> None:
    for sentence in (
        f"# The wire format, version {wire.VERSION} ",
        f"`{CONTENT_TYPE}`",
        f"The header has a fixed size of {wire.HEADER.size} bytes",
        f"1 to {limits.MAX_RANK} dimensions, each 1 to {limits.MAX_DIMENSION}, and at most {limits.MAX_ELEMENTS} elements",
        f"| this frame | {wire.HEADER.size} bytes |",
        f"a safetensors file of at most {limits.MAX_PROFILE_BYTES} bytes, its header at most {limits.MAX_PROFILE_HEADER_BYTES} of them",
        f"| format | `{FORMAT}` |",
        f"`levels` (2 to {limits.MAX_LEVELS}), `groups` (1 to {limits.MAX_GROUPS}, at most the channels)",
        f"r is any rank from 1 to {limits.MAX_CONTEXT_RANK}",
        f"(kinds, {OWN_KINDS}, {PREDICTIONS}) | 0 to {CLASSES - 1} |",
        f"each row sums to {SCALE};",
        f"q from 1 to {limits.MAX_CORRECTOR_RANK} |",
        f"at most {limits.MAX_JPEG_SCANS} scans, a PNG at most {limits.MAX_PNG_TEXT_BYTES} bytes of comments",
        f"clipped to -{LATENT_LIMIT} … {LATENT_LIMIT}",
    ):
        assert sentence in TEXT, sentence


def test_the_codecs_are_the_registrys() -> None:
    assert [(int(row[0]), row[1]) for row in table("Codecs")] == [
        (codec.id, codec.name) for codec in CODECS.values()
    ]


def test_a_codec_has_the_parameters_that_its_row_names() -> None:
    sizes = {"none": 0, "scale (binary32), zero point (1 byte)": 5, "as 5": 5}
    for number, name, params, payload in table("Codecs"):
        codec = CODECS[int(number)]
        if name == "calibrated":
            assert (params, HASH_BYTES) == ("the profile's name, 16 bytes", 16)
            continue
        shape = (2, 3, 3)
        array = np.ones(shape, np.float32 if codec.carries == "tensor" else np.uint8)
        assert len(codec.encode(array).params) == sizes[params], name
        assert ("picture" in payload) == (codec.carries == "picture"), name
        assert name.endswith("+zstd") == ("Zstandard" in payload), name


def test_every_refusal_has_a_status_that_the_answer_lists() -> None:
    section = " ".join(PAGE.split("## The answer\n")[1].split("\n## ")[0].split())
    listed = {int(number) for number in re.findall(r"\b([45]\d\d)\b", section)}
    of_frames = {*errors.all_request_errors()} - {errors.BundleNotServedError}
    assert listed == {cls.status for cls in of_frames}
