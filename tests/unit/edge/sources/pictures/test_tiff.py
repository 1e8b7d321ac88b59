"""The pages of TIFFs: both byte orders, classic and big, and what is none."""

from __future__ import annotations

import struct

import numpy as np
from kits.picture_files import saved
from PIL import Image

from edge.sources.pictures.tiff import pages
from edge.sources.pictures.unreadable import UnreadableError


def tiff(*directories, order="<", big=False):
    """A TIFF of tags alone: each directory is a dict of tags to numbers, all of them LONGs."""
    number, width = ("Q", 8) if big else ("I", 4)
    data = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}H", 43 if big else 42)
    data += struct.pack(f"{order}HHQ", 8, 0, 16) if big else struct.pack(f"{order}I", 8)
    for place, tags in enumerate(directories):
        data += struct.pack(f"{order}{'Q' if big else 'H'}", len(tags))
        for tag, value in tags.items():
            data += struct.pack(f"{order}HH{number}", tag, 4, 1) + struct.pack(f"{order}I", value).ljust(
                width, b"\0"
            )
        following = 0 if place == len(directories) - 1 else len(data) + width
        data += struct.pack(f"{order}{number}", following)
    return data


PAGE = {256: 30, 257: 20, 258: 8}


def refused(data):
    try:
        list(pages(data))
    except UnreadableError as error:
        return str(error)
    return None


def test_both_orders_and_sizes():
    for order in "<>":
        for big in (False, True):
            found = pages(
                tiff(PAGE, PAGE | {254: 1}, PAGE | {258: 12, 262: 0}, PAGE | {339: 3}, order=order, big=big)
            )
            assert [(page.index, page.deep, page.white_is_zero, page.bits) for page in found] == [
                (0, False, False, 8), (2, True, True, 12), (3, True, False, 8),
            ], (order, big)  # fmt: skip


def test_those_of_a_library():
    for mode, deep in (("1", False), ("L", False), ("RGB", False), ("RGBA", False), ("F", True), ("I", True)):
        (page,) = pages(saved(Image.new(mode, (30, 20)), "TIFF"))
        assert page.deep is deep, mode
    (page,) = pages(saved(Image.fromarray(np.zeros((20, 30), np.uint16)), "TIFF"))
    assert (page.deep, page.bits) == (True, 16)


def test_what_is_refused():
    assert refused(tiff(PAGE | {50706: 1})) == "raw data of a camera are not read"
    assert refused(tiff({256: 30})) == "its headers are damaged"
    assert (
        refused(tiff({256: 60_000, 257: 60_000})) == "60000 x 60000 pixels; at most 178 million are accepted"
    )
    whole = tiff(PAGE, PAGE)
    for size in range(8, len(whole)):
        assert refused(whole[:size]) == "it is cut off", size


def test_pages_that_go_in_a_circle_end():
    data = bytearray(tiff(PAGE, PAGE))
    data[-4:] = struct.pack("<I", 8)
    assert len(list(pages(bytes(data)))) == 2
