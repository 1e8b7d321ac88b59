"""The bits of a crossing go to the tensors whose errors change the answer most."""

from __future__ import annotations

import numpy as np
import pytest
from kits.naming import naming
from kits.profiles import SMALL, features

from edge.calibration.balance import FACTORS, Curve, balanced, shares
from edge.calibration.fit import fit_crossing
from edge.calibration.importance import Importance, estimate_importance
from edge.calibration.point import measure
from shared.codecs.calibrated.codec import Calibrated
from shared.tasks.classify import Classify

SHAPES = ((6, 5, 5), (4, 3, 3), (7,))
CROSSING = [features(shape, 40, seed=seed) for seed, shape in enumerate(SHAPES)]
TASK = Classify([f"class {number}" for number in range(6)], 1)


class Tail:
    """Logits that are linear in every tensor, with a weight for each."""

    def __init__(self, weights=(1.0, 1.0, 1.0)):
        rng = np.random.default_rng(5)
        self.maps = [
            weight * rng.normal(0, 1, (int(np.prod(shape)), 6)) / np.sqrt(np.prod(shape))
            for weight, shape in zip(weights, SHAPES, strict=True)
        ]

    def __call__(self, crossing):
        rows = sum(
            tensor.reshape(len(tensor), -1) @ each for tensor, each in zip(crossing, self.maps, strict=True)
        )
        return (rows.astype(np.float32),)


def curve(worth: float, elements: int = 100) -> Curve:
    """Fine quantisation: six decibels a bit."""
    return Curve(-elements * np.log2(FACTORS), worth * elements * FACTORS**2, elements)


def test_a_tensor_that_is_worth_more_gets_a_finer_step_by_the_square_root():
    found = shares([curve(1.0), curve(4.0)])
    assert found[0] / found[1] == pytest.approx(2.0, rel=0.05)
    assert found[0] * found[1] == pytest.approx(1.0, rel=1e-6)
    assert shares([curve(3.0)] * 3) == pytest.approx([1, 1, 1])
    large = shares([curve(1.0, 1000), curve(4.0, 10)])
    assert large[0] == pytest.approx(1.0, rel=0.02), "a small tensor does not move a large one"


def test_flat_curves_and_worthless_tensors_give_finite_shares():
    nothing = Curve(np.zeros(len(FACTORS)), np.zeros(len(FACTORS)), 50)
    for what, curves in (("nothing", [nothing, nothing]), ("one of two", [nothing, curve(2.0)])):
        with naming(what):
            found = shares(curves)
            assert np.isfinite(found).all()
            assert min(found) > 0


def test_worth_is_on_one_scale_for_all_tensors():
    even = estimate_importance(Tail(), TASK, CROSSING)
    found = estimate_importance(Tail((1.0, 0.1, 1.0)), TASK, CROSSING)
    assert [each.channels.shape for each in even] == [(6,), (4,), (7,)]
    ratio = (found[1].worth / found[0].worth) / (even[1].worth / even[0].worth)
    assert ratio == pytest.approx(0.01, rel=0.5)
    scaled = [CROSSING[0], [10 * tensor for tensor in CROSSING[1]], CROSSING[2]]
    same = estimate_importance(Tail((1.0, 0.1, 1.0)), TASK, scaled)
    assert same[1].worth / same[0].worth == pytest.approx(0.01 * even[1].worth / even[0].worth, rel=0.5), (
        "it is what an error changes, however large the values are"
    )


def test_one_tensor_and_tensors_of_unknown_importance_keep_their_presets():
    ones = Importance(np.ones(6, np.float32), np.ones((5, 5), np.float32))
    assert balanced(CROSSING[:1], [SMALL], [ones]) == [SMALL]
    assert balanced(CROSSING, [SMALL] * 3, None) == [SMALL] * 3


def test_at_equal_bytes_a_balanced_crossing_answers_better():
    tail = Tail((1.0, 0.03, 1.0))
    outputs = tail(tuple(np.stack(tensors) for tensors in CROSSING))
    importances = estimate_importance(tail, TASK, CROSSING)

    def tried(chosen):
        profile = fit_crossing(
            CROSSING, chosen, fingerprint=b"profile.", split_point="neck", importances=importances
        )
        return measure(
            Calibrated(profile),
            CROSSING,
            outputs,
            tail,
            TASK,
            split_point="neck",
            fingerprint=b"profile.",
        )

    chosen = balanced(CROSSING, [SMALL] * 3, importances)
    assert chosen[1].step > 2 * SMALL.step > 2 * chosen[0].step
    plain, shared = tried([SMALL] * 3), tried(chosen)
    # Along the line of plain presets: a finer one costs more than the balanced one, and still diverges more.
    assert shared.divergence < plain.divergence
    assert shared.frame_bytes < 1.1 * plain.frame_bytes
