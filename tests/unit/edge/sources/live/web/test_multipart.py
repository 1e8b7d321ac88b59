"""Parts of a multipart answer, as careful and careless cameras send them."""

from __future__ import annotations

import pytest

from edge.sources.live.web.multipart import Multipart
from shared.errors import SourceError

PICTURES = [
    b"\xff\xd8one\r\n--\r\n\xff\xd9",
    b"\xff\xd8--twoframe--\n\xff\xd9",
    b"\xff\xd8" + bytes(3000) + b"\xff\xd9",
]


def parts_of(data, boundary="frame", step=None, limit=1 << 20):
    found = []
    reader = Multipart(boundary, name="camera", max_part_bytes=limit)
    for start in range(0, len(data), step or len(data)):
        found += reader.feed(data[start : start + (step or len(data))])
    return [(part.content_type, part.body) for part in found]


def part(body, *, line=b"\r\n--frame\r\n", end=b"\r\n", length=True, kind=b"image/jpeg"):
    head = b"Content-Type: " + kind + end if kind else b""
    if length:
        head += b"Content-Length: %d" % (len(body) if length is True else length) + end
    return line + head + end + body


JPEG = "image/jpeg"
STYLES = {
    "as the standard says": ("frame", {}),
    "no lengths": ("frame", {"length": False}),
    "a boundary declared with its dashes": ("--frame", {}),
    "a boundary declared with more dashes than it has": ("----frame", {"length": False}),
    "a boundary written without dashes": ("frame", {"line": b"\r\nframe\r\n", "length": False}),
    "no declared boundary": ("", {}),
    "no declared boundary, no lengths": ("", {"length": False}),
    "line feeds alone": ("frame", {"line": b"\n--frame\n", "end": b"\n", "length": False}),
    "no line break before a boundary": ("frame", {"line": b"--frame\r\n"}),
    "blanks behind a boundary": ("frame", {"line": b"\r\n--frame \t\r\n", "length": False}),
    "no content type": ("frame", {"kind": b""}),
    "a content type in capitals, with parameters": ("frame", {"kind": b"Image/JPEG; q=1"}),
    "a length of 0": ("frame", {"length": b"0"}),
}


@pytest.mark.parametrize("style", STYLES)
def test_every_style_of_parts(style):
    boundary, how = STYLES[style]
    if how.get("length") == b"0":
        data = b"".join(
            part(each).replace(b"Content-Length: %d" % len(each), b"Content-Length: 0") for each in PICTURES
        )
    else:
        data = b"".join(part(each, **how) for each in PICTURES)
    data += how.get("line", b"\r\n--frame\r\n")
    kind = "" if how.get("kind") == b"" else JPEG
    for step in (None, 1, 7, 100):
        assert parts_of(data, boundary, step) == [(kind, each) for each in PICTURES], step


def test_a_part_with_a_length_waits_for_no_boundary():
    assert parts_of(part(PICTURES[0])) == [(JPEG, PICTURES[0])]
    assert parts_of(part(PICTURES[0], length=False)) == []


def test_wrong_lengths_cost_one_part():
    for wrong in (5, 400):
        data = b"".join(part(each * 100, length=wrong) for each in [*PICTURES[:2]] * 3) + b"\r\n--frame\r\n"
        whole = {PICTURES[0] * 100, PICTURES[1] * 100}
        bodies = [body for _, body in parts_of(data)]
        assert [body in whole for body in bodies] == [False, True, True, True, True, True], wrong


def test_parts_of_other_kinds_are_told_apart():
    data = (
        part(b"{}", kind=b"application/json")
        + part(PICTURES[0])
        + part(b"x", kind=b"text/plain", length=False)
    )
    assert [kind for kind, _ in parts_of(data + b"\r\n--frame\r\n")] == [
        "application/json",
        JPEG,
        "text/plain",
    ]


def test_what_comes_before_the_first_boundary_is_passed_over():
    data = b"hello\r\n" * 10_000 + part(PICTURES[0])
    assert parts_of(data, step=1000) == [(JPEG, PICTURES[0])]


def test_a_boundary_may_be_another_than_is_declared():
    for line in (b"\r\n--other\r\n", b"--other\n", b"\r\n----a b\r\n"):
        for length in (True, False):
            data = b"".join(part(each, line=line, length=length) for each in PICTURES) + line
            for step in (None, 1, 100):
                assert parts_of(data, "frame", step) == [(JPEG, each) for each in PICTURES], (
                    line,
                    length,
                    step,
                )


def test_what_no_boundary_follows_is_the_rest():
    for data, expected in (
        (part(PICTURES[0], length=False), PICTURES[0]),
        (part(PICTURES[0], length=len(PICTURES[0]) + 5), None),
        (part(PICTURES[0], length=False) + b"\r\n--frame--\r\n", None),
        (part(PICTURES[0]), None),
        (b"", None),
    ):
        reader = Multipart("frame", name="camera", max_part_bytes=1 << 20)
        list(reader.feed(data))
        rest = reader.rest()
        assert (rest and rest.body) == expected, data


def test_the_last_boundary_ends_it():
    data = part(PICTURES[0], length=False) + b"\r\n--frame--\r\n" + part(PICTURES[1])
    reader = Multipart("frame", name="camera", max_part_bytes=1 << 20)
    assert [each.body for each in reader.feed(data)] == [PICTURES[0]]
    assert reader.ended


def test_a_part_that_is_too_long_is_refused_before_it_is_read():
    for data in (part(b"", length=2 << 20), part(bytes(2 << 20), length=False)):
        with pytest.raises(SourceError, match="camera: a picture of more than 1 MiB"):
            parts_of(data, step=1 << 16)


def test_a_head_without_an_end_is_given_up():
    data = b"\r\n--frame\r\n" + b"X: y\r\n" * 10_000 + part(PICTURES[0])
    assert (JPEG, PICTURES[0]) in parts_of(data, step=1000)


def test_a_long_run_of_dashes_takes_no_time():
    data = part(b"-" * (1 << 20), length=False) + b"\r\n--frame\r\n"
    assert parts_of(data, step=1 << 16, limit=2 << 20) == [(JPEG, b"-" * (1 << 20))]
