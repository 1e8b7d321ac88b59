"""Where one tensor is as cheap as several, several are not offered: classifiers keep their split points and their default."""

from __future__ import annotations

import pytest

from shared.bundling.bundler import find_split_points
from shared.network.choice import NetworkChoice
from shared.network.partition import Partition

pytestmark = pytest.mark.slow  # converts networks


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "googlenet", "squeezenet1_1"])
def test_classifiers_gain_no_places(name: str) -> None:
    points = find_split_points(NetworkChoice(name, "random"), patience_s=1).points
    assert len(points) > 20
    assert [point.name for point in points.values() if len(point.shapes) > 1] == []


def test_where_layers_read_all_before_them_there_are_places_but_the_default_stays() -> None:
    partition = find_split_points(NetworkChoice("densenet121", "random"), patience_s=1)
    several = [point for point in partition.points.values() if len(point.shapes) > 1]
    assert several
    assert all(point.name.startswith("features.denseblock") for point in several)
    one = Partition(point for point in partition.points.values() if len(point.shapes) == 1)
    assert partition.default() == one.default()
