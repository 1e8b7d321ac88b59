"""Which engine runs the network: the one that was asked for, or the fastest that passes its check."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
import torch
from kits.edge import partition_of, tiny_model
from kits.engine_choice import Candidates
from kits.engines import one_nan, too_large, warnings

from shared.engines import make_engine, workbench
from shared.engines.openvino import runtime
from shared.errors import EngineError, SettingsError
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def candidates(monkeypatch: pytest.MonkeyPatch) -> Candidates:
    return Candidates(monkeypatch)


@pytest.mark.parametrize("fastest", ["openvino/bfloat16", "openvino/float32", "torch/float32"])
def test_auto_takes_the_fastest(
    candidates: Candidates, fastest: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    candidates.seconds[fastest] = 0.5
    assert candidates.make() == fastest
    assert sorted(candidates.timed) == sorted(candidates.seconds)
    assert not warnings(caplog)
    name, _, precision = fastest.partition("/")
    assert any(
        record.getMessage().startswith(f"engine {name} in {precision} on cpu, ") for record in caplog.records
    )


def test_auto_takes_the_next_one_where_the_fastest_fails_its_check(
    candidates: Candidates, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    candidates.distort["openvino/bfloat16"] = too_large
    assert candidates.make(cache_dir=str(tmp_path)) == "openvino/float32"
    (warning,) = warnings(caplog)
    assert "openvino in bfloat16: the head at output differs from torch" in warning
    assert "openvino/bfloat16" not in candidates.timed
    candidates.distort["openvino/float32"] = one_nan
    assert candidates.make(cache_dir=str(tmp_path)) == "torch/float32"


def test_only_what_was_asked_for_is_tried(candidates: Candidates) -> None:
    candidates.seconds |= {"torch/bfloat16": 4.0, "torch/float16": 5.0}
    for asked, built in (
        ({"name": "torch"}, ["torch/float32"]),
        ({"name": "torch", "precision": "bfloat16"}, ["torch/bfloat16"]),
        ({"name": "openvino", "precision": "float32"}, ["openvino/float32"]),
        ({"name": "openvino"}, ["openvino/bfloat16", "openvino/float32"]),
        ({"precision": "float32"}, ["openvino/float32", "torch/float32"]),
        ({"precision": "bfloat16"}, ["openvino/bfloat16", "torch/bfloat16"]),
        ({"precision": "float16"}, ["torch/float16"]),
        ({}, ["openvino/bfloat16", "openvino/float32", "torch/float32"]),
    ):
        candidates.forget()
        assert candidates.make(**asked) == built[0], asked
        assert candidates.built == built, asked
        assert candidates.timed == (built if len(built) > 1 else []), asked


@pytest.mark.parametrize("asked", ["openvino/float32", "openvino/bfloat16", "torch/bfloat16"])
def test_a_requested_engine_that_fails_is_an_error(candidates: Candidates, asked: str) -> None:
    name, _, precision = asked.partition("/")
    candidates.distort[asked] = too_large
    with pytest.raises(EngineError, match=f"{name} in {precision}: the head at output differs from torch"):
        candidates.make(name=name, precision=precision)
    assert candidates.built == [asked]


def test_where_every_candidate_fails_the_first_problem_is_raised(candidates: Candidates) -> None:
    candidates.distort = dict.fromkeys(candidates.seconds, too_large)
    with pytest.raises(EngineError, match="openvino in bfloat16"):
        candidates.make()


def test_a_precision_that_this_cpu_lacks_is_refused_with_those_it_has(
    candidates: Candidates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "precisions", lambda: ["float32"])
    for precision in ("bfloat16", "float16"):
        with pytest.raises(SettingsError, match=f"precision {precision} .* accepted: auto, float32$"):
            candidates.make(name="openvino", precision=precision)
    assert candidates.make(name="openvino") == "openvino/float32"


def test_on_a_gpu_there_is_torch_only(candidates: Candidates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbench, "usable_device", lambda _: torch.device("cuda", 0))
    with pytest.raises(
        SettingsError, match="engine openvino computes on the CPU; on cuda:0 accepted: torch, auto"
    ):
        candidates.make(name="openvino", device="cuda")
    candidates.seconds |= {"torch/float16": 1.0, "torch/bfloat16": 0.5}
    assert candidates.make(device="cuda") == "torch/bfloat16"
    assert candidates.built == ["torch/float16", "torch/bfloat16", "torch/float32"]
    candidates.forget()
    assert candidates.make(device="cuda", precision="float32") == "torch/float32"
    assert candidates.built == ["torch/float32"]


def test_a_device_that_does_not_exist_is_refused() -> None:
    for device in ("tpu", "cuda:77", "cpu:x", ""):
        with pytest.raises(SettingsError, match=f"device '{device}' cannot be used here"):
            make_engine(partition_of(tiny_model()), tiny_model(), device=device)


def test_the_half_that_will_run_is_checked_and_timed(candidates: Candidates) -> None:
    points = partition_of(tiny_model()).points
    for kind, name, expected in (
        ("head", "conv", ("head", "conv")),
        ("tail", "conv", ("tail", "conv")),
        ("head", INPUT, ("tail", INPUT)),
        ("tail", OUTPUT, ("head", OUTPUT)),
        ("tail", INPUT, ("tail", INPUT)),
    ):
        candidates.forget()
        candidates.make(kind=kind, point=points[name])
        assert {each[1:] for each in candidates.checked} == {expected}, (kind, name)
    candidates.forget()
    candidates.make()
    assert {each[1:] for each in candidates.checked} == {("head", OUTPUT)}  # the whole network
