"""The probe of a bundle: what it gives to a half, and the error of a half on it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.bundles import STORED, make, oracle, pictures, recipe, tiny
from kits.engines import Fake, engine_of, error
from kits.naming import naming
from safetensors.numpy import save

from shared.engines.probe import Probe, sampled
from shared.errors import EngineError
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from pathlib import Path


def probe_of(**options: Any) -> Probe:
    bundle = tiny(**options)
    return Probe(bundle, lambda: engine_of("float32", bundle))


def test_heads_are_given_the_probe_pictures_as_the_recipe_says() -> None:
    (given,) = probe_of().given("head", tiny().partition.point("conv"))
    np.testing.assert_array_equal(given, np.stack([recipe().normalise(each) for each in pictures()]))
    assert probe_of().given("tail", tiny().partition.point(INPUT))[0].tobytes() == given.tobytes()


def test_tails_are_given_what_is_stored_or_else_what_the_reference_computes() -> None:
    right = oracle().crossings(probe_of().given("head", tiny().partition.point("conv"))[0])
    forbidden = Probe(tiny(), lambda: pytest.fail("the reference was asked"))
    for name, point in tiny().partition.points.items():
        if name in (INPUT, OUTPUT):
            continue
        (given,) = (forbidden if name in STORED else probe_of()).given("tail", point)
        assert error(given, right[name][0]) < 1e-3, name  # stored in 16 bits


def test_the_error_is_relative_and_the_larger_one_of_the_two_pictures() -> None:
    for outputs in (1, 2):
        probe, net = probe_of(outputs=outputs), oracle(outputs=outputs)

        def scaled(net: Any, point: Any, *factors: float) -> Any:
            rows = np.array(factors, np.float32)[:, None]
            return lambda tensors: tuple(rows * each for each in net.tail(point.name, tensors[0]))

        for name in ("conv", "pool"):  # without and with a stored input
            point = tiny(outputs=outputs).partition.point(name)
            for factors, expected in (
                ((1, 1), 0),
                ((1, 1.25), 0.25),
                ((0.5, 1.25), 0.5),
                ((1, np.nan), np.nan),
            ):
                found = probe.error("tail", point, scaled(net, point, *factors))
                assert found == pytest.approx(expected, rel=1e-3, abs=1e-5, nan_ok=True), (name, factors)


def test_every_output_counts_by_itself() -> None:
    """A small one beside a large one must not be lost."""
    probe, net, point = probe_of(outputs=2), oracle(outputs=2), tiny(outputs=2).partition.point("pool")

    def half(tensors: Any) -> Any:
        first, second = net.tail("pool", tensors[0])
        return first, second * np.float32(1.1)

    assert probe.error("tail", point, half) == pytest.approx(0.1, rel=1e-3)
    assert np.isnan(probe.error("tail", point, lambda tensors: half(tensors)[:1]))


def test_a_head_is_compared_at_the_samples_positions() -> None:
    values = np.arange(20, dtype=np.float32).reshape(2, 5, 2)
    np.testing.assert_array_equal(sampled(values, 4), [[0, 2, 5, 7], [10, 12, 15, 17]])
    np.testing.assert_array_equal(sampled(values, 10), values.reshape(2, 10))
    probe, point = probe_of(), tiny().partition.point("conv")

    def half(tensors: Any) -> Any:
        (right,) = oracle().crossings(tensors[0])["conv"]
        return (right[:, :, ::-1],)  # all values are there, in other places

    assert probe.error("head", point, half) > 0.1


def test_a_reference_that_fails_its_own_check_gives_no_inputs(tmp_path: Path) -> None:
    def change(tensors: dict[str, np.ndarray]) -> None:
        tensors["sample/conv"] *= 2

    bundle = make(tmp_path, change_probe=change)
    reference = Fake(bundle=bundle)
    with pytest.raises(EngineError, match="the head at conv differs from the bundle's probe"):
        Probe(bundle, lambda: reference).error(
            "tail", bundle.partition.point("conv"), lambda tensors: tensors
        )


@pytest.mark.parametrize("fault", ["missing", "empty", "no such tensor"])
def test_a_probe_that_cannot_be_read_is_an_engine_error(tmp_path: Path, fault: str) -> None:
    bundle = make(
        tmp_path, change_probe=lambda tensors: tensors.pop("sample/conv") if fault == "no such tensor" else 0
    )
    if fault == "missing":
        bundle.probe.unlink()
    if fault == "empty":
        bundle.probe.write_bytes(b"")
    with pytest.raises(EngineError, match=r"probe.safetensors: not the probe of this bundle: [^\n]+$"):
        Probe(bundle, lambda: engine_of("float32")).error(
            "head", bundle.partition.point("conv"), lambda tensors: tensors
        )


def test_held_out_pictures_are_those_of_this_network_and_bounded(tmp_path: Path) -> None:
    like, path = tiny(), tmp_path / "probe.safetensors"
    shape, (output,) = like.model.recipe.picture_shape, like.partition.ends[1].shapes
    names = "held_out/pictures", "held_out/outputs/0"
    good = dict(
        zip(names, (np.zeros((3, *shape), np.uint8), np.zeros((3, *output), np.float32)), strict=True)
    )

    def held_out(arrays: dict[str, np.ndarray]) -> Any:
        path.write_bytes(save(arrays))
        bundle = SimpleNamespace(probe=path, model=like.model, partition=like.partition)
        return Probe(bundle, lambda: pytest.fail("not asked")).held_out()  # type: ignore[arg-type]

    found = held_out(good)
    assert [each.shape for each in (found[0], *found[1])] == [each.shape for each in good.values()]
    assert held_out({"pictures": good[names[0]]}) is None
    bad = [
        {names[0]: good[names[0]].astype(np.int32)},
        {names[0]: good[names[0]][:, :-1]},
        {names[0]: good[names[0]][0]},
        {names[0]: np.zeros((), np.uint8)},
        {names[0]: good[names[0]][:2]},
        {names[1]: good[names[1]][:, :-1]},
        {names[1]: good[names[1]].astype(np.float64)},
        {name: each[:0] for name, each in good.items()},
        {name: np.repeat(each[:1], 1025, 0) for name, each in good.items()},
    ]
    for number, change in enumerate(bad):
        with naming(number), pytest.raises(EngineError, match=r"held_out/.*; accepted: "):
            held_out(good | change)
    with pytest.raises(EngineError, match="held_out/outputs/0"):
        held_out({names[0]: good[names[0]]})
