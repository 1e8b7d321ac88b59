"""The chains of a real graph: every split point's tail gives what the network gives."""

from __future__ import annotations

import numpy as np
from kits.bundles import oracle, tiny
from kits.engines import error, new_engine
from kits.naming import naming

from cloud.batching.tails import Tails
from shared.network.partition import OUTPUT

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
