"""Legs: which split points have one, what they may take, and that their answers are the network's."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits.link import Clock
from kits.numpy_network import CLASSES, NumpyEngine

from cloud.batching.compiling import Compiling
from cloud.batching.tails import Tails
from cloud.networks.legs import HOT_FRAMES, IDLE_S, Legs
from shared.errors import EngineError
from shared.network.partition import INPUT

if TYPE_CHECKING:
    from shared.network.bundle import Bundle
    from shared.network.partition import Partition, SplitPoint

BYTES = {INPUT: 60, "layer1": 50, "layer2": 30, "relu": 70}
"""From each to the default split point; the network has 100."""


class Engine(NumpyEngine):
    """Cuts cost it something."""

    minds_cuts = True
    cannot: str = ""

    def weigh(self, start: SplitPoint, end: SplitPoint) -> int:
        return 100 if end.name == "output" else BYTES[start.name]

    def segment(self, start: SplitPoint, end: SplitPoint) -> object:  # type: ignore[override]
        if start.name == self.cannot:
            raise EngineError("cannot")
        return super().segment(start, end)


@pytest.fixture
def engine(bundle: Bundle) -> Engine:
    return Engine(bundle)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def legs(partition: Partition, engine: Engine, clock: Clock) -> Legs:
    default = partition.point("layer3")
    engine.tail(default)
    return Legs(partition, engine, default, clock)


def test_only_what_many_frames_come_at_before_the_default_split_point_is_hot(legs: Legs) -> None:
    for name, frames in (("layer1", HOT_FRAMES), ("layer2", HOT_FRAMES + 1), ("avgpool", 999), (INPUT, 3)):
        assert legs.use(name, frames) is None
    assert legs.hot() == ["layer2", "layer1"]
    assert legs.hot() == [], "it counts from one look to the next"


def test_an_engine_that_does_not_mind_cuts_has_none(legs: Legs, engine: Engine) -> None:
    engine.minds_cuts = False
    legs.use("layer1", HOT_FRAMES)
    assert legs.hot() == []


def test_all_legs_together_take_no_more_than_the_network_and_an_idle_one_makes_room(
    legs: Legs, clock: Clock
) -> None:
    legs.make("layer1")
    legs.make("layer2")
    legs.make(INPUT)
    assert [legs.use(name, 1) is not None for name in ("layer1", "layer2", INPUT)] == [True, True, False]
    clock.now += IDLE_S / 2
    legs.use("layer2", 1)
    clock.now += IDLE_S / 2
    legs.make(INPUT)
    assert [legs.use(name, 1) is not None for name in ("layer1", "layer2", INPUT)] == [False, True, True]


def test_what_came_while_a_leg_was_compiled_does_not_have_it_compiled_again(legs: Legs) -> None:
    legs.use("layer1", HOT_FRAMES)
    assert legs.hot() == ["layer1"]
    legs.use("layer1", HOT_FRAMES)
    legs.make("layer1")
    assert legs.hot() == []


def test_a_leg_that_goes_at_the_moment_of_its_use_holds_up_no_other(
    partition: Partition, engine: Engine
) -> None:
    times, others = [0.0], [INPUT]

    def clock() -> float:
        if times[-1] and others:
            held.make(others.pop())  # on the thread that compiles
        return times[-1]

    held = Legs(partition, engine, partition.point("layer3"), clock)
    engine.tail(partition.point("layer3"))
    held.make("layer1")
    times.append(IDLE_S)
    assert held.use("layer1", 1)
    held.make("layer2")
    assert [held.use(name, 1) is not None for name in ("layer1", "layer2", INPUT)] == [False, True, True]


def test_what_cannot_be_compiled_is_not_tried_again(legs: Legs, engine: Engine) -> None:
    engine.cannot = "layer1"
    legs.make("layer1")
    legs.use("layer1", HOT_FRAMES)
    assert legs.hot() == []


def test_a_legs_answers_are_the_networks_and_others_board_where_it_ends(
    partition: Partition, engine: Engine, legs: Legs
) -> None:
    tails = Tails(partition, engine, legs=legs)
    random = np.random.default_rng(0)
    early, late = (
        (random.standard_normal((1, *partition.point(name).shape)).astype(np.float32),)
        for name in ("layer1", "layer3")
    )
    right = [tails.run("layer1", [early]), tails.run("layer3", [late])]
    legs.make("layer1")
    run = tails.begin("layer1", [early], pauses=False)
    assert run is not None
    assert run.ahead == ["layer3"]
    assert run.advance(lambda name: name == "layer3") is None
    outputs = run.advance(lambda _name: False, [late])
    assert outputs is not None
    assert outputs[0].shape == (2, CLASSES)
    for row, (alone,) in enumerate(right):
        np.testing.assert_allclose(outputs[0][row], alone[0], rtol=1e-4, atol=1e-4)
    paused = tails.begin("layer1", [early])
    assert paused is not None
    assert len(paused.ahead) > 1, "with pauses it is the chain"
    np.testing.assert_allclose(tails.run("layer1", [early])[0], right[0][0], rtol=1e-4, atol=1e-4)


def test_the_hottest_is_compiled_while_frames_flow(legs: Legs) -> None:
    legs.use("layer1", HOT_FRAMES)
    made: list[object] = []

    async def run(function: object, *arguments: object) -> None:
        made.append((function, *arguments))
        raise asyncio.CancelledError

    async def at_once(seconds: float) -> None:
        assert seconds > 0

    async def tend() -> None:
        compiling = Compiling(SimpleNamespace(run=run), 8)  # type: ignore[arg-type]
        with pytest.raises(asyncio.CancelledError):
            await compiling.tend(lambda: legs, at_once)

    asyncio.run(tend())
    assert made == [(legs.make, "layer1")]
