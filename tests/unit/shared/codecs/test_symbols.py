"""The codecs uint8 and uint8+zstd: a network's own bytes, which nothing rounds again."""

from __future__ import annotations

import numpy as np
import pytest

from shared.codecs import NAMES, encode_frame, make_codec
from shared.codecs.coding import codecs_of, decode_tensors
from shared.codecs.symbols import at_point, carries_symbols
from shared.errors import ContentError, SettingsError
from shared.network.grid import Grid
from shared.network.partition import SplitPoint
from shared.wire import frame as wire

SHAPE = (4, 3, 5)
GRID = Grid(float(np.float32(0.0371)), 128)
POINT = SplitPoint("layer1", (SHAPE,), 1, 1, (GRID,))
SYMBOLS = np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)


def frame_of(arrays: list[np.ndarray], name: str, point: SplitPoint = POINT) -> wire.Frame:
    codec = at_point(make_codec(name), point)
    frame = encode_frame(arrays, codec, split_point=point.name, fingerprint=bytes(8), frame_id=1)
    return wire.unpack(wire.pack(frame))


def test_bytes_come_out_as_they_went_in_and_stand_for_the_grids_values() -> None:
    for name in ("uint8", "uint8+zstd"):
        frame = frame_of([SYMBOLS], name)
        codecs = codecs_of(frame)
        (symbols,) = decode_tensors(frame, codecs, POINT.grids)
        (values,) = decode_tensors(frame, codecs)
        assert symbols.dtype == np.uint8, name
        assert np.array_equal(symbols, SYMBOLS), name
        assert values.dtype == np.float32, name
        assert np.array_equal(values, GRID.values(SYMBOLS)), name


def test_values_on_the_grid_make_the_same_frame_as_their_symbols() -> None:
    for name in ("uint8", "uint8+zstd"):
        assert wire.pack(frame_of([GRID.values(SYMBOLS)], name)) == wire.pack(frame_of([SYMBOLS], name)), name


def test_symbols_of_another_grid_are_read_as_values() -> None:
    frame = frame_of([SYMBOLS], "uint8+zstd")
    other = (Grid(GRID.scale, GRID.zero_point - 1),)
    (found,) = decode_tensors(frame, codecs_of(frame), other)
    assert np.array_equal(found, GRID.values(SYMBOLS))


def test_a_tensor_that_the_network_does_not_quantise_travels_unrounded_beside_it() -> None:
    plain = np.random.default_rng(1).normal(size=(2, 2, 2)).astype(np.float32)
    point = SplitPoint("neck", (SHAPE, (2, 2, 2)), 1, 1, (GRID, None))
    for name, ids in (("uint8", [7, 1]), ("uint8+zstd", [8, 2])):
        frame = frame_of([SYMBOLS, plain], name, point)
        assert [tensor.codec_id for tensor in frame.tensors] == ids, name
        found = decode_tensors(frame, codecs_of(frame), point.grids)
        assert np.array_equal(found[0], SYMBOLS), name
        assert np.array_equal(found[1], plain), name


def test_more_tensors_than_cross_there_are_refused() -> None:
    with pytest.raises(ContentError, match=r"tensor 1 of 2: .* is for 1 tensors here"):
        frame_of([SYMBOLS, SYMBOLS], "uint8+zstd")


def test_where_the_network_quantises_nothing_the_codec_is_refused() -> None:
    with pytest.raises(SettingsError, match="at relu this network quantises nothing"):
        at_point(make_codec("uint8+zstd"), SplitPoint("relu", (SHAPE,), 1, 1))
    with pytest.raises(ContentError, match="what a network quantises itself"):
        NAMES["uint8"].encode(np.zeros(SHAPE, np.float32))


def test_other_codecs_stay_what_they_are() -> None:
    for name, codec in NAMES.items():
        assert carries_symbols(codec) == name.startswith("uint8"), name
        if not carries_symbols(codec):
            assert at_point(codec, POINT) is codec, name


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ContentError, match="NaN or infinity"):
        frame_of([np.full(SHAPE, np.nan, np.float32)], "uint8")


def test_a_frame_that_lies_is_refused() -> None:
    frame = frame_of([SYMBOLS], "uint8")
    codec = NAMES["uint8"]
    (sent,) = frame.tensors
    for params, payload in (
        (sent.params[:-1], sent.payload),
        (b"\0\0\0\0\x80", sent.payload),
        (sent.params, sent.payload[:-1]),
    ):
        with pytest.raises(ContentError):
            codec.decode(params, payload, SHAPE)
