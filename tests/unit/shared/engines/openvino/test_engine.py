"""OpenVINO as an engine: memory of inputs, errors, options."""

from __future__ import annotations

import dataclasses
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from kits.bundles import tiny
from kits.engines import NATIVE, accepted, ends, engine_of, error, expected, given_to, middle, new_engine

from shared.engines.openvino import network
from shared.engines.openvino.engine import OpenVinoEngine
from shared.errors import EngineError
from shared.process.threads import available_cores


def test_a_copied_input_lives_until_the_half_has_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request keeps the address of its input, not the input. One that is freed too early is overwritten here."""

    class Watched(np.ndarray):
        pass

    memory = given_to("head", middle(), 3, seed=8)
    half = engine_of("float32").head(middle())
    (right,) = half((memory.copy(),))

    def contiguous(_tensors: np.ndarray) -> np.ndarray:
        copied = memory.view(Watched)
        weakref.finalize(copied, lambda: memory.fill(np.nan))
        return copied

    monkeypatch.setattr("shared.engines.openvino.engine.contiguous", contiguous)
    np.testing.assert_array_equal(half((np.zeros_like(memory),))[0], right)
    assert np.isnan(memory).all()  # freed afterwards


def test_a_tensor_of_another_shape_is_an_engine_error_and_later_calls_are_unaffected() -> None:
    for kind in ("head", "tail"):
        half = engine_of("float32").require(kind, middle())
        good = given_to(kind, middle(), 2)
        (right,) = half((good,))
        for bad in (good[:, :-1], good[..., None], good[:, :, :-1], good.reshape(2, -1), good[0]):
            with pytest.raises(EngineError):
                half((bad,))
            np.testing.assert_array_equal(half((good,))[0], right, err_msg=f"{kind}, after {bad.shape}")


@pytest.mark.parametrize(("streams", "threads"), [(1, 1), (1, 2), (2, 2)])
def test_streams_threads_and_precision_are_as_requested(streams: int, threads: int) -> None:
    if available_cores() < threads:
        pytest.skip(f"this machine has not {threads} cores, and OpenVINO takes no more threads than that")
    tensors = [given_to("tail", middle(), 4, seed=seed) for seed in range(6)]
    for precision in NATIVE:
        half = new_engine(precision, streams=streams, threads=threads).tail(middle())
        compiled = half.requests.compiled
        assert compiled.get_property("NUM_STREAMS") == streams, precision
        assert compiled.get_property("INFERENCE_NUM_THREADS") == threads, precision
        assert f"'{precision}'" in str(compiled.get_property("INFERENCE_PRECISION_HINT"))
        with ThreadPoolExecutor(streams) as pool:
            for got, given in zip(pool.map(half, [(each,) for each in tensors]), tensors, strict=True):
                assert error(got, expected("tail", middle(), given)) <= accepted(precision), precision


def test_the_constants_leave_memory_once_a_half_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten = []
    monkeypatch.setattr("shared.engines.openvino.engine.forget_pages", lambda *what: forgotten.append(what))
    engine = new_engine()
    engine.tail(middle())
    engine.segment(middle(), ends()[1])
    assert [file for file, _ in forgotten] == [tiny().constants] * 2
    mapped = [
        tuple(int(each, 16) for each in line.split()[0].split("-"))
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith(f" {tiny().constants}")
    ]
    for _, held in forgotten:
        assert any(start <= address < end for start, end in mapped for address in held), "the file is mapped"


def test_a_bundle_that_says_something_else_than_its_graph_is_an_engine_error_of_one_line() -> None:
    conv = tiny().partition.points["conv"]
    for bundle, point in (
        (dataclasses.replace(tiny(), batch=1), middle()),
        (tiny(), dataclasses.replace(conv, shapes=((3, 3),))),
    ):
        for kind in ("head", "tail"):
            engine = OpenVinoEngine(network.read(bundle), bundle, threads=1)
            with pytest.raises(EngineError, match="openvino") as refusal:
                engine.require(kind, point)
            assert "\n" not in str(refusal.value)
            assert ".cpp:" not in str(refusal.value)
