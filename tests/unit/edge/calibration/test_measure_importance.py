"""Gradients where torch and the network's source are at hand, noise where not."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from kits.bundles import oracle, pictures, recipe, tiny
from kits.naming import naming

from edge.calibration.importance import estimate_importance, measure_importance
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted

POINT = "pool"


def tensors(count=60):
    given = np.stack([recipe().normalise(each) for each in pictures(count, seed=9)])
    return list(oracle().crossings(given)[POINT][0])


def tail_of(net):
    return lambda given: net.tail(POINT, given[0])


def from_torch(monkeypatch, seed=5, outputs=1):
    """The tiny bundle, as if it came from a torch network of this seed."""
    torch_networks = pytest.importorskip("kits.torch_networks", reason="torch is not installed")

    class Rebuilt:
        module = torch_networks.module(seed, outputs)

    monkeypatch.setattr("shared.torch_network.source.rebuild", lambda _source, *, fetched: Rebuilt)
    return replace(tiny(outputs=outputs), source={"kind": "function", "model": "tiny:build"})


def test_gradients_and_noise_find_the_same(monkeypatch):
    bundle = from_torch(monkeypatch)
    point, tail = bundle.partition.point(POINT), tail_of(oracle())
    (exact,) = measure_importance(bundle, point, tail, [tensors()])
    (found,) = estimate_importance(tail, make_task(bundle.model, Wanted()), [tensors()])
    assert (exact.how, found.how, exact.pooled, found.pooled) == ("gradients", "noise", False, False)
    for what, first, second in (
        ("channels", exact.channels, found.channels),
        ("positions", exact.positions, found.positions),
    ):
        scales = [values**-0.25 / np.exp(np.log(values**-0.25).mean()) for values in (first, second)]
        with naming(what, first, second):
            assert first.shape == second.shape
            assert np.abs(np.log(scales[0] / scales[1])).max() < np.log(1.3)
    assert np.corrcoef(exact.channels, found.channels)[0, 1] > 0.7


def test_noise_is_used_where_there_are_no_gradients_and_the_log_says_why(monkeypatch, caplog):
    without_torch = from_torch(monkeypatch)
    other_weights = from_torch(monkeypatch, seed=6)
    raw = tiny(outputs=2)
    for bundle, net, point, why, spec in (
        (tiny(), oracle(), POINT, "the network does not come from torch", True),
        (without_torch, oracle(), POINT, "torch is not installed", None),
        (other_weights, oracle(), POINT, "was the weights file changed?", True),
        (raw, oracle(outputs=2), POINT, "not the logits of one class among several", True),
    ):
        with naming(why), monkeypatch.context() as patch, caplog.at_level(logging.INFO):
            patch.setattr("edge.calibration.gradients.find_spec", lambda _, spec=spec: spec)
            caplog.clear()
            (found,) = measure_importance(bundle, bundle.partition.point(point), tail_of(net), [tensors(12)])
            assert found.how == "noise"
            assert why in caplog.text


def test_a_mean_is_recognised_by_gradients_too(monkeypatch):
    torch = pytest.importorskip("torch")
    matrix = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    for pooled in (True, False):

        class Tail(torch.nn.Module):
            def forward(self, tensor, pooled=pooled):
                rows = tensor.mean((2, 3)) if pooled else tensor.square().mean((2, 3))
                return (rows @ torch.from_numpy(matrix),)

        monkeypatch.setattr("edge.calibration.gradients._rebuilt", lambda *_, tail=Tail: tail())

        def running(given, tail=Tail):
            return (tail()(torch.from_numpy(given[0]))[0].numpy(),)

        bundle = tiny()
        (found,) = measure_importance(bundle, bundle.partition.point(POINT), running, [tensors(12)])
        assert (found.how, found.pooled) == ("gradients", pooled)
