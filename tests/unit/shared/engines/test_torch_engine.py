"""PyTorch as an engine: the same answers as the bundle, precisions, sharing of parameters, threads."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from kits.bundles import oracle, tiny
from kits.engines import engine_of, error, expected, given_to, middle, warnings
from kits.torch_networks import Unconvertible, module, partition

from shared.engines.base import TOLERANCES
from shared.engines.probe import Probe
from shared.engines.segmented import segmented
from shared.engines.torch_engine import TorchEngine, WholeModule
from shared.errors import EngineError
from shared.network.partition import INPUT, OUTPUT
from shared.torch_network.partition import TorchPartition

KNOWN = (INPUT, "conv", "relu", "pool", OUTPUT)
"""The bundle's split points that torch.fx finds as well."""


def engine_with(
    outputs: int = 1, batch: int | None = None, seed: int = 5, precision: str = "float32"
) -> TorchEngine:
    bundle = tiny(outputs=outputs, batch=batch)
    return TorchEngine(
        partition(seed, outputs),
        precision=precision,
        probe=Probe(bundle, lambda: engine_of("float32", bundle)),
        reference=lambda: engine_of("float32", bundle),
        one_by_one=batch == 1,
    )


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("outputs", "batch"), [(1, None), (2, None), (1, 1), (2, 1)])
def test_it_gives_the_bundles_answers(precision: str, outputs: int, batch: int | None) -> None:
    engine = engine_with(outputs, batch, precision=precision)
    points = tiny(outputs=outputs, batch=batch).partition.points
    for kind in ("head", "tail"):
        for name in KNOWN:
            if (kind, name) == ("tail", OUTPUT):
                continue
            tensors = given_to(kind, points[name], 3, seed=7)
            got = engine.require(kind, points[name])((tensors,))
            right = expected(kind, points[name], tensors, outputs)
            assert error(got, right) <= 2 * TOLERANCES[precision], (kind, name)


def test_a_chain_of_segments_gives_them_too() -> None:
    pictures = given_to("head", middle(), 3)
    for outputs in (1, 2):
        points = [tiny(outputs=outputs).partition.point(name) for name in KNOWN]
        network = segmented(engine_with(outputs), points)
        right = oracle(outputs=outputs).crossings(pictures)
        for point in points[:-1]:
            crossing = network.head(point)((pictures,))
            assert error(crossing, right[point.name]) < 1e-5, point.name
            assert error(network.tail(point)(crossing), right[OUTPUT]) < 1e-5, point.name


def test_a_point_that_torch_cannot_cut_at_is_named_and_run_by_the_reference(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine, point = engine_with(), tiny().partition.point("tokens")
    with pytest.raises(EngineError, match="torch cannot cut this network at tokens"):
        engine.require("tail", point)
    tensors = given_to("tail", point, 3)
    assert error(engine.tail(point)((tensors,)), expected("tail", point, tensors)) < 1e-5
    assert engine.failed_checks == 1
    (warning,) = warnings(caplog)
    assert warning.endswith("openvino in float32 runs this half instead")


def test_a_module_with_other_weights_is_found_out() -> None:
    for precision in ("float32", "bfloat16"):
        engine = engine_with(seed=6, precision=precision)
        for kind in ("head", "tail"):
            with pytest.raises(
                EngineError, match=r"gives other answers than the bundle: was the weights file changed\?$"
            ):
                engine.require(kind, middle())


def test_rounding_does_not_look_like_other_weights() -> None:
    engine = engine_with(precision="bfloat16")
    (right,) = expected("head", middle(), Probe(tiny(), engine_with).given("head", middle())[0])
    with pytest.raises(EngineError, match=r"accepted: 0\.05$"):
        engine.check("head", middle(), lambda _: (right * np.float32(1.1),))


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_another_precision_leaves_the_networks_own_parameters_alone(precision: str) -> None:
    network = module()
    cut = TorchPartition(network, (3, 8, 8))
    before = copy.deepcopy(network.state_dict())
    places = {name: value.data_ptr() for name, value in network.state_dict().items()}
    engine = TorchEngine(cut, precision=precision)
    halves = [half(point) for point in cut.points.values() for half in (engine.head, engine.tail)]
    assert len(halves) > 10
    after = network.state_dict()
    assert {name: value.data_ptr() for name, value in after.items()} == places
    for name, value in before.items():
        assert after[name].dtype == value.dtype, name
        assert torch.equal(after[name], value), name
    tensors = given_to("head", middle(), 2)
    plain = TorchEngine(cut).head(middle())((tensors,))
    assert error(plain, expected("head", middle(), tensors)) < 1e-6
    short = engine.head(middle())((tensors,))
    assert 1e-5 < error(short, plain) < TOLERANCES[precision]  # it did compute in fewer digits


def test_in_float32_the_halves_are_the_networks_own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.engines.torch_engine.copy.deepcopy", lambda _: pytest.fail("copied"))
    engine = TorchEngine(partition())
    for point in partition().points.values():
        engine.head(point)
        engine.tail(point)


def test_threads_are_set_only_if_they_are_given() -> None:
    torch.set_num_threads(2)
    assert TorchEngine(partition()).threads == torch.get_num_threads() == 2
    assert TorchEngine(partition(), threads=1).threads == torch.get_num_threads() == 1


def test_a_module_that_cannot_be_cut_runs_as_a_whole_and_the_reference_runs_the_rest() -> None:
    bundle = tiny(outputs=2)
    ends, point = bundle.partition.ends, bundle.partition.point("pool")

    class Wrapped(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module(outputs=2)

        def forward(self, pictures: torch.Tensor) -> dict[str, object]:
            classes, widths = self.inner(pictures)
            return {"widths": [widths], "classes": classes}

    engine = TorchEngine(
        WholeModule(Wrapped(), ends, ("classes", "widths.0")),
        probe=Probe(bundle, lambda: engine_of("float32", bundle)),
        reference=lambda: engine_of("float32", bundle),
    )
    pictures = given_to("head", point, 3)
    assert (
        error(engine.require("tail", ends[0])((pictures,)), oracle(outputs=2).crossings(pictures)[OUTPUT])
        < 1e-5
    )
    with pytest.raises(EngineError, match="torch cannot cut this network at pool"):
        engine.require("head", point)
    assert engine.head(point) is engine_of("float32", bundle).head(point)
    one = TorchEngine(WholeModule(module(), tiny().partition.ends, (OUTPUT,)))
    assert error(one.head(tiny().partition.ends[1])((pictures,)), oracle().crossings(pictures)[OUTPUT]) < 1e-5


def test_a_half_that_torch_cannot_run_is_an_engine_error() -> None:
    cut = TorchPartition(Unconvertible().eval(), (3, 8, 8))
    TorchEngine(cut).require("head", cut.point(OUTPUT))
    with pytest.raises(
        EngineError, match="torch in bfloat16 on cpu cannot run the segment from input to output: "
    ):
        TorchEngine(cut, precision="bfloat16").require("head", cut.point(OUTPUT))
