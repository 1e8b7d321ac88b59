"""The chains of a real graph: every split point's tail gives what the network gives."""

from __future__ import annotations

import numpy as np
import pytest
from kits.bundles import oracle, tiny
from kits.engines import error, new_engine
from kits.naming import naming

from cloud.batching.tails import Tails
from shared.errors import SplitPointError
from shared.network.partition import INPUT, OUTPUT
from shared.network.stage_ends import stage_ends

PICTURES = np.random.default_rng(0).standard_normal((3, 3, 8, 8)).astype(np.float32)


def test_a_tail_at_every_split_point_gives_the_networks_answers() -> None:
    right = oracle().crossings(PICTURES)
    for batch in (None, 1):
        bundle = tiny(batch=batch)
        engine = new_engine("float32", bundle, threads=1)
        tails = Tails(bundle.partition, engine)
        for name, point in bundle.partition.points.items():
            with naming(name, batch):
                crossing = engine.once("head", point)((PICTURES,))
                assert error(tails.run(name, [crossing]), right[OUTPUT]) < 1e-4
        assert not engine._halves, "all of them are in a chain"


def test_a_cloud_may_take_frames_at_the_usual_split_points_only() -> None:
    bundle = tiny()
    engine = new_engine("float32", bundle, threads=1)
    points = bundle.partition.points
    tails = Tails(bundle.partition, engine, everywhere=False)
    usual = {INPUT, *(end.name for end in stage_ends(points.values()))}
    odd = [name for name in points if name not in {*usual, OUTPUT}]
    listed, *others = odd
    assert others, "the network has split points that are no ends"
    engine.tail(points[listed])
    for name in [*usual, listed]:
        tails.prepare(name)
        assert tails.is_ready(name), name
    for name in others:
        with naming(name), pytest.raises(SplitPointError, match="takes no frames") as refused:
            tails.prepare(name)
        assert set(refused.value.accepted) == {*usual, listed, OUTPUT}
    assert not tails._fine
