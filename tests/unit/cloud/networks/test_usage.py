"""When a network was last used, and at which split points."""

from __future__ import annotations

from cloud.networks.usage import Usage


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_network_counts_as_used_when_it_is_loaded() -> None:
    clock = Clock()
    usage = Usage(clock)
    clock.now += 7
    assert usage.idle_s() == 7
    usage.note()
    assert usage.idle_s() == 0


def test_split_points_are_remembered_for_as_long_as_is_asked_the_latest_first() -> None:
    clock = Clock()
    usage = Usage(clock)
    for name, seconds in (("layer1", 0), ("layer3", 10), ("layer2", 20), ("layer1", 30)):
        clock.now = 100.0 + seconds
        usage.note(name)
    usage.note()
    assert usage.lately(5) == ["layer1"]
    assert usage.lately(20) == ["layer1", "layer2", "layer3"]
    clock.now += 100
    assert usage.lately(20) == []
