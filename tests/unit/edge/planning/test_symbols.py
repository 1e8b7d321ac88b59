"""Plans of an int8 network: what it has rounded itself travels in its own bytes, unless the user says otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from edge.frames.stillness import SymbolsRuler, ruler_factory
from edge.planning.plan import default_codec, make_plan
from shared.codecs import encode_frame
from shared.engines.half import QuantisedHead
from shared.errors import SettingsError
from shared.network.grid import Grid
from shared.network.partition import INPUT, SplitPoint

GRID = Grid(0.25, 128)
POINT = SplitPoint("layer1", ((2, 2, 2),), 1, 1, (GRID,))
PLAIN = SplitPoint("layer2", ((2, 2, 2),), 1, 1)
NATIVE = np.arange(-4, 4, dtype=np.int8).reshape(1, 2, 2, 2)
PICTURES = (np.zeros((1, 3, 4, 4), np.float32),)


class Engine:
    """Its head gives NATIVE whatever it sees."""

    def head(self, point):
        if any(point.grids):
            return QuantisedHead(lambda _: (NATIVE,), point)
        return lambda _: (GRID.values(NATIVE),)

    def tail(self, point):
        return point.values


def test_the_usual_codec_loses_nothing():
    assert default_codec(POINT) == "uint8+zstd"
    assert default_codec(PLAIN) == "int8+zstd"
    assert default_codec(SplitPoint(INPUT, ((3, 4, 4),), 0, 1)) == "jpeg"
    for codec in (None, "uint8", "uint8+zstd"):
        plan = make_plan(POINT, Engine(), codec)
        (crossing,) = plan.head(PICTURES)
        assert crossing.dtype == np.uint8, codec
        assert np.array_equal(crossing, GRID.symbols(NATIVE)), codec
        assert np.array_equal(plan.tail((crossing,))[0], GRID.values(NATIVE)), codec
        frame = encode_frame(
            [crossing[0]], plan.codec, split_point="layer1", fingerprint=bytes(8), frame_id=1
        )
        assert plan.label == (codec or "uint8+zstd")
        assert frame.tensors[0].params == np.float32(0.25).tobytes() + bytes([128]), codec


def test_other_codecs_are_given_values():
    for codec in ("float32", "int8+zstd", "float16"):
        (crossing,) = make_plan(POINT, Engine(), codec).head(PICTURES)
        assert crossing.dtype == np.float32, codec
        assert np.array_equal(crossing, GRID.values(NATIVE)), codec


def test_where_nothing_is_rounded_its_bytes_cannot_travel():
    with pytest.raises(SettingsError, match="at layer2 this network quantises nothing"):
        make_plan(PLAIN, Engine(), "uint8+zstd")


def test_stillness_is_seen_in_the_networks_own_symbols():
    plan = make_plan(POINT, Engine(), None)
    ruler = ruler_factory(plan.codec)(0, NATIVE)
    assert isinstance(ruler, SymbolsRuler)
    for given in (GRID.symbols(NATIVE), GRID.values(NATIVE)):
        reading = ruler(given)
        assert reading.symbols.tolist() == NATIVE.tolist()
        assert reading.symbols.dtype == np.int16
        assert reading.scaled.tolist() == NATIVE.tolist()
