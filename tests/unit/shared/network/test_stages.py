"""Which of a network's split points are worth choosing from."""

from __future__ import annotations

from shared.network.partition import SplitPoint
from shared.network.stage_ends import stage_ends


def network(*stages: tuple[str, tuple[int, ...], int]) -> list[SplitPoint]:
    """Points of these names, shapes and work done so far, of 100."""
    ends = [("input", (3, 8, 8), 0), *stages, ("output", (10,), 100)]
    return [SplitPoint(name, (shape,), work, 100 - work) for name, shape, work in ends]


def names(points: list[SplitPoint]) -> list[str]:
    return [point.name for point in stage_ends(points)]


def test_each_run_of_one_shape_counts_once_by_its_last_point() -> None:
    points = network(("a", (8, 4, 4), 20), ("b", (8, 4, 4), 30), ("c", (4, 4, 4), 60), ("d", (4, 4, 4), 70))
    assert names(points) == ["b", "d"]


def test_a_tensor_that_is_half_as_large_a_moment_later_is_the_better_choice() -> None:
    points = network(("relu", (64, 8, 8), 30), ("pool", (64, 4, 4), 30), ("c", (4, 4, 4), 65))
    assert names(points) == ["pool", "c"]


def test_the_wide_middle_of_an_inverted_residual_is_no_choice() -> None:
    points = network(("thin", (16, 8, 8), 30), ("wide", (96, 8, 8), 38), ("next", (24, 4, 4), 65))
    assert names(points) == ["thin", "next"]


def test_the_same_tensor_in_another_shape_counts_once() -> None:
    points = network(("a", (8, 8, 8), 40), ("pooled", (32, 1, 1), 75), ("flat", (32,), 75))
    assert names(points) == ["a", "pooled"]


def test_a_long_stage_is_divided_in_equal_parts() -> None:
    layers = [(f"layer{number}", (8, 16), 10 * number) for number in range(1, 10)]
    assert names(network(*layers)) == ["layer3", "layer6", "layer9"]


def test_places_where_several_tensors_cross_are_choices() -> None:
    points = [
        SplitPoint(name, shapes, work, 100 - work)
        for name, shapes, work in (
            ("input", ((3, 16, 16),), 0),
            ("stem", ((8, 8, 8),), 10),
            ("stem+level3", ((8, 8, 8), (16, 4, 4)), 30),
            ("stem+level3+level4", ((8, 8, 8), (16, 4, 4), (16, 2, 2)), 34),
            ("pyramid", ((4, 8, 8), (4, 4, 4), (4, 2, 2)), 60),
            ("heads", ((4, 8, 8), (4, 4, 4), (4, 2, 2)), 75),
            ("output", ((4, 84),), 100),
        )
    ]
    assert names(points) == ["stem", "stem+level3", "pyramid", "heads"]


def test_a_network_without_any_multiplication_has_stages_too() -> None:
    points = [
        SplitPoint(name, (shape,), 0, 0)
        for name, shape in (("input", (3, 8, 8)), ("a", (3, 4, 4)), ("output", (3,)))
    ]
    assert names(points) == ["a"]


def test_a_network_without_inner_points_has_no_stage_ends() -> None:
    assert names(network()) == []
