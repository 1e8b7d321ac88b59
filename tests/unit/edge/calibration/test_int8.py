"""`calibrated` at a split point whose tensor an int8 network quantises: its values go back onto the network's grid in the tail."""

from __future__ import annotations

import numpy as np
import pytest
from kits import int8_bundle, quantised

from shared.engines import make_engine
from shared.engines.half import in_symbols
from shared.network.bundle import read_bundle
from shared.wire.frame import pack
from splitdnn import load_network

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundle():
    _, report = int8_bundle.made()
    assert report.bundle is not None, report.why_not
    return read_bundle(report.bundle.folder)


@pytest.fixture(scope="module")
def point(bundle):
    """The widest whose tensor the network quantises."""
    points = [point for point in bundle.partition.points.values() if any(point.grids)]
    return max(points, key=lambda point: point.elements)


@pytest.fixture(scope="module")
def halves(bundle, point):
    """Network, and the same cut with the codec `calibrated`, fitted to pictures that the test does not send."""
    network = load_network(bundle.folder, cache_dir="", threads=1)
    calibration = network.calibrate(point.name, quantised.pictures(32, seed=3), target_agreement=0.5)
    return network, network.split(point.name, "calibrated", profile=calibration.profile)


def test_it_takes_fewer_bytes_than_the_networks_own_and_answers_nearly_as_it(halves, point):
    network, split = halves
    lossless = network.split(point.name)
    pictures = quantised.pictures(12, seed=7)
    sizes, same = [], 0
    for picture in pictures:
        frame = split.to_frame(picture)
        sizes.append((len(pack(frame)), len(pack(lossless.to_frame(picture)))))
        (found,), (whole,) = split.tail(split.decode(frame)), network.whole(network.prepare(picture))
        same += int(found.argmax() == whole.argmax())
    calibrated, own = np.sum(sizes, axis=0)
    assert calibrated < 0.8 * own
    assert same >= 6


def test_its_values_lie_between_those_of_the_grid_and_the_tail_takes_the_nearest(bundle, halves, point):
    _, split = halves
    tail = make_engine(bundle, threads=1).tail(point)
    picture = quantised.pictures(1, seed=8)[0]
    crossing = split.decode(split.to_frame(picture))
    nearest = point.values(point.symbols(crossing))
    assert any(not np.array_equal(one, other) for one, other in zip(crossing, nearest, strict=True))
    for found, want in zip(tail(crossing), tail(nearest), strict=True):
        np.testing.assert_array_equal(found, want)


def test_what_is_fitted_is_the_symbols_values(bundle, halves, point):
    """Nothing is fitted to what the network does not compute: the head's values are those of the grid, also with this codec."""
    network, split = halves
    picture = quantised.pictures(1, seed=9)[0]
    tensor = network.prepare(picture)
    values = split.head(tensor)
    symbols = in_symbols(make_engine(bundle, threads=1).head(point))((tensor,))
    for found, want in zip(values, point.values(symbols), strict=True):
        np.testing.assert_array_equal(found, want)
