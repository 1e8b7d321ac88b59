"""Split points by name, and the default one."""

from __future__ import annotations

import pytest

from shared.errors import SplitPointError
from shared.network.partition import INPUT, OUTPUT, Partition, SplitPoint


def partition(*inner: tuple[str, int, int]) -> Partition:
    """Points of these names, elements and work done so far, of 100."""
    points = [(INPUT, 192, 0), *inner, (OUTPUT, 5, 100)]
    return Partition(SplitPoint(name, ((elements,),), work, 100 - work) for name, elements, work in points)


def test_a_point_is_found_by_its_name_and_an_unknown_one_refused_with_the_nearest() -> None:
    found = partition(("layer1", 50, 20), ("layer2", 40, 60))
    assert [found.point(name) for name in found.points] == list(found.points.values())
    assert found.ends == (found.points[INPUT], found.points[OUTPUT])
    with pytest.raises(
        SplitPointError, match=r"unknown split point 'layer22'; did you mean layer2"
    ) as refusal:
        found.point("layer22")
    assert refusal.value.accepted == ["input", "layer1", "layer2", "output"]


def test_the_default_is_the_latest_of_the_smallest_with_at_most_85_percent_of_the_work_before_it() -> None:
    for inner, name in (
        ((("a", 50, 20), ("b", 40, 60), ("c", 40, 85), ("d", 10, 86)), "c"),
        ((("a", 40, 20), ("b", 44, 60), ("c", 45, 70)), "b"),  # within 10 %
        ((("a", 40, 90), ("b", 39, 95)), "b"),  # no light one
        ((("a", 40, 0),), "a"),
        ((), INPUT),  # nothing to cut
    ):
        assert partition(*inner).default().name == name, inner
    no_work = Partition(SplitPoint(name, ((4,),), 0, 0) for name in (INPUT, "a", OUTPUT))
    assert no_work.default().name == "a"


def test_several_tensors_are_the_default_where_they_are_clearly_smaller() -> None:
    def named(one: int, several: int | None, work: int = 60) -> str:
        points = [SplitPoint(INPUT, ((192,),), 0, 100), SplitPoint("one", ((one,),), 20, 80)]
        if several is not None:
            points.append(SplitPoint("several", ((several - 4,), (2, 2)), work, 100 - work))
        return Partition([*points, SplitPoint(OUTPUT, ((5,), (5,)), 100, 0)]).default().name

    for one, several, work, name in (
        (40, None, 60, "one"),
        (40, 30, 60, "one"),
        (40, 20, 60, "one"),
        (40, 19, 60, "several"),
        (40, 19, 90, "one"),  # too much work before it
    ):
        assert named(one, several, work) == name, (one, several, work)
    pyramid = SplitPoint("several", ((9,), (9,)), 60, 40)
    ends = SplitPoint(INPUT, ((192,),), 0, 100), SplitPoint(OUTPUT, ((5,),), 100, 0)
    assert Partition([ends[0], pyramid, ends[1]]).default().name == "several"


def test_what_crosses_is_counted_over_all_its_tensors() -> None:
    several = SplitPoint("detect", ((4, 80, 80), (10,), ()), 0, 0)
    assert several.elements == 4 * 80 * 80 + 10 + 1
    assert several.float32_bytes == 4 * several.elements
    with pytest.raises(ValueError, match="unpack"):
        _ = several.shape
    assert SplitPoint("one", ((2, 3),), 0, 0).shape == (2, 3)
