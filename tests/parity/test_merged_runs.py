"""Runs that others board, on real graphs: a pyramid where several tensors cross, and a network that rounds what crosses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits.engines import error, new_engine
from kits.graphs import save
from kits.int8_bundle import made
from kits.pyramids import feature_pyramid

from cloud.batching.tails import Tails
from shared.bundling.bundler import make_bundle
from shared.engines.half import in_symbols
from shared.network.choice import NetworkChoice
from shared.network.partition import INPUT
from shared.network.stage_ends import stage_ends

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shared.engines.base import Engine
    from shared.engines.half import Tensors
    from shared.network.bundle import Bundle

pytestmark = pytest.mark.slow  # compiles networks

_FRAMES = 5


def _boarded_all(bundle: Bundle, engine: Engine) -> list[tuple[str, Tensors, Tensors]]:
    """A run from the input that one frame boards at each end of a stage: the split point, its answer, and that of the frame alone."""
    points = bundle.partition.points
    ends = stage_ends(points.values())
    names = [INPUT, *(end.name for end in ends)][:_FRAMES]
    tails = Tails(bundle.partition, engine, one_thread=True)
    tails.make_ready(ends)
    random = np.random.default_rng(0)
    crossings = {}
    for name in names:
        pictures = random.standard_normal((1, *points[INPUT].shape)).astype(np.float32)
        head: Callable[[Tensors], Tensors] = in_symbols(engine.once("head", points[name]))
        crossings[name] = head((pictures,)) if name != INPUT else (pictures,)
    run = tails.begin(INPUT, [crossings[INPUT]])
    assert run is not None
    boarding: list[Tensors] = []
    while (outputs := run.advance(lambda name: name in names, boarding)) is None:
        boarding = [crossings[run.point]]
    return [
        (name, tuple(each[row : row + 1] for each in outputs), tails.run(name, [crossings[name]]))
        for row, name in enumerate(names)
    ]


def test_several_tensors_board_together(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    path = save(feature_pyramid(), tmp_path / "pyramid.xml")
    bundle = make_bundle(NetworkChoice(str(path)), tmp_path / "bundle", patience_s=1)
    found = _boarded_all(bundle, new_engine("float32", bundle, threads=1))
    assert any(len(bundle.partition.points[name].shapes) > 1 for name, *_ in found)
    for name, merged, alone in found:
        assert error(merged, alone) < 1e-5, name


def test_symbols_board_symbols_and_answers_stay_equal_to_the_bit() -> None:
    network, report = made()
    del network
    bundle = report.bundle
    found = _boarded_all(bundle, new_engine("int8", bundle, threads=1))
    assert any(bundle.partition.points[name].is_quantised for name, *_ in found)
    for name, merged, alone in found:
        assert all(np.array_equal(one, other) for one, other in zip(merged, alone, strict=True)), name
