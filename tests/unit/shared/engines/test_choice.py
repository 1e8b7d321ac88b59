"""Which engine runs the network: the one that was asked for, or the fastest that passes its check."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from kits.bundles import tiny
from kits.engine_choice import Candidates
from kits.engines import one_nan, too_large, warnings

from shared.engines import Engine, make_engine, workbench
from shared.engines.openvino import runtime
from shared.engines.workbench import Workbench
from shared.errors import EngineError, SettingsError
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from pathlib import Path

ALL = ["openvino/float32", "openvino/float16", "openvino/bfloat16"]


@pytest.fixture
def candidates(monkeypatch: pytest.MonkeyPatch) -> Candidates:
    return Candidates(monkeypatch)


@pytest.mark.parametrize("fastest", ALL)
def test_auto_takes_the_fastest_and_says_why(
    candidates: Candidates, fastest: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    candidates.ms[fastest] = 0.5
    engine = candidates.engine()
    assert f"{engine.name}/{engine.precision}" == fastest
    assert candidates.timed == ALL
    assert not warnings(caplog)
    assert engine.choice["how"] == "measured"
    assert list(engine.choice["milliseconds"]) == ALL
    assert engine.choice["milliseconds"][fastest] == {"minimum": 0.5, "median": 0.55}
    second = sorted(candidates.ms.values())[1]
    assert engine.choice["margin"] == pytest.approx(1 - 0.5 / second, abs=1e-3)
    (line,) = [
        text for record in caplog.records if (text := record.getMessage()).startswith("engine openvino")
    ]
    assert f"in {engine.precision} on cpu, " in line
    assert f"{fastest} 0.5 ms (median 0.6)" in line
    assert f"the fastest leads by {100 * engine.choice['margin']:.0f} %" in line


def test_a_less_precise_engine_has_to_be_clearly_faster(candidates: Candidates) -> None:
    """Within the noise, precision costs nothing."""
    for bfloat16, float16, float32, chosen in (
        (0.95, 2.0, 1.0, "float32"),
        (0.91, 0.92, 1.0, "float32"),
        (0.89, 2.0, 1.0, "bfloat16"),
        (0.79, 0.85, 1.0, "float16"),
        (0.7, 0.85, 1.0, "bfloat16"),
        (1.0, 0.5, 1.0, "float16"),
        (1.0, 1.0, 1.0, "float32"),
    ):
        candidates.ms = {
            "openvino/bfloat16": bfloat16,
            "openvino/float16": float16,
            "openvino/float32": float32,
        }
        assert candidates.make() == f"openvino/{chosen}", candidates.ms


def test_it_has_to_be_faster_in_the_median_as_well(candidates: Candidates) -> None:
    """A single lucky run is no reason."""
    candidates.ms = {"openvino/bfloat16": 0.5, "openvino/float16": 3.0, "openvino/float32": 1.0}
    candidates.medians = {"openvino/bfloat16": 1.2, "openvino/float32": 1.2}
    assert candidates.make() == "openvino/float32"


def test_auto_takes_the_next_one_where_the_fastest_fails_its_check(
    candidates: Candidates, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.INFO)
    candidates.distort["openvino/bfloat16"] = too_large
    assert candidates.make(cache_dir=str(tmp_path)) == "openvino/float16"
    (line,) = [text for each in caplog.records if "not taken" in (text := each.getMessage())]
    assert line.startswith("openvino in bfloat16: the head at output differs from the bundle's probe")
    assert "openvino/bfloat16" not in candidates.timed
    candidates.distort["openvino/float16"] = one_nan
    assert candidates.make() == "openvino/float32"
    assert not warnings(caplog), "that less precision is not always enough is no surprise"


def test_an_engine_that_cannot_be_built_is_a_warning(
    candidates: Candidates, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuses(_bench: Workbench, name: str, precision: str) -> Engine:
        if precision == "bfloat16":
            raise EngineError("openvino cannot compile the head")
        return candidates.build(name, precision)

    monkeypatch.setattr(Workbench, "build", refuses)
    for _ in range(2):  # another time it may be there
        candidates.busy = True
        assert candidates.make(cache_dir=str(tmp_path)) == "openvino/float16"
        assert warnings(caplog) == ["openvino cannot compile the head; not taken"]
        caplog.clear()


def test_where_the_reference_itself_fails_nothing_is_trusted(candidates: Candidates) -> None:
    candidates.distort["openvino/float32"] = too_large
    with pytest.raises(EngineError, match="openvino in float32: the head at output differs"):
        candidates.make()


def test_only_what_was_asked_for_is_tried(candidates: Candidates) -> None:
    for asked, built in (
        ({"name": "openvino", "precision": "float32"}, ["openvino/float32"]),
        ({"name": "openvino"}, ALL),
        ({"precision": "float32"}, ["openvino/float32"]),
        ({"precision": "bfloat16"}, ["openvino/bfloat16"]),
        ({}, ALL),
    ):
        candidates.forget()
        assert candidates.make(**asked) == built[-1], asked
        assert candidates.built == built, asked
        assert candidates.timed == (built if len(built) > 1 else []), asked


def test_torch_is_tried_only_if_it_is_named(candidates: Candidates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workbench, "_torch_problem", lambda _: "")
    for precision, built in (("auto", "float32"), ("bfloat16", "bfloat16")):
        candidates.forget()
        assert candidates.make(name="torch", precision=precision) == f"torch/{built}"
        assert candidates.built == [f"torch/{built}"]


@pytest.mark.parametrize("asked", ALL)
def test_a_requested_engine_that_fails_is_an_error(candidates: Candidates, asked: str) -> None:
    name, _, precision = asked.partition("/")
    candidates.distort[asked] = too_large
    with pytest.raises(EngineError, match=f"{name} in {precision}: the head at output differs"):
        candidates.make(name=name, precision=precision)
    assert candidates.built == [asked]


def test_a_precision_that_this_cpu_lacks_is_refused_with_those_it_has(
    candidates: Candidates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "precisions", lambda: ["float32"])
    for precision in ("bfloat16", "float16"):
        for name in ("openvino", "auto"):
            with pytest.raises(SettingsError, match=f"precision {precision} .* accepted: auto, float32$"):
                candidates.make(name=name, precision=precision)
    assert candidates.make(name="openvino") == "openvino/float32"
    assert candidates.timed == []


def test_on_a_gpu_there_is_torch_only(candidates: Candidates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workbench, "_usable", lambda *_: "cuda:0")
    with pytest.raises(
        SettingsError, match="engine openvino computes on the CPU; on cuda:0 accepted: torch, auto"
    ):
        candidates.make(name="openvino", device="cuda")
    candidates.ms |= {"torch/float16": 1.0, "torch/bfloat16": 0.5, "torch/float32": 2.0}
    assert candidates.make(device="cuda") == "torch/bfloat16"
    assert candidates.built == ["torch/float32", "torch/float16", "torch/bfloat16"]
    candidates.forget()
    assert candidates.make(device="cuda", precision="float32") == "torch/float32"
    assert candidates.built == ["torch/float32"]


def test_a_network_that_is_not_from_torch_refuses_torch_and_gpus_by_name() -> None:
    for asked, what in (({"device": "cuda"}, "device 'cuda'"), ({"name": "torch"}, "engine torch")):
        with pytest.raises(SettingsError) as refusal:
            make_engine(tiny(), **asked)
        assert str(refusal.value) == (
            f"{what}: tiny was made from /networks/tiny.onnx, not from a torch module; accepted: --device cpu with --engine "
            "openvino, or auto"
        )
    assert make_engine(tiny(), device="auto", precision="float32").device == "cpu"


def test_without_torch_a_gpu_cannot_be_used(candidates: Candidates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbench.importlib.util, "find_spec", lambda _: None)
    bundle = replace(tiny(), source={"kind": "torchvision", "model": "resnet18"})
    with pytest.raises(
        SettingsError, match="device 'cuda': torch is not installed here; accepted: --device cpu"
    ):
        candidates.make(bundle, device="cuda")
    with pytest.raises(SettingsError, match="engine torch: torch is not installed here"):
        candidates.make(bundle, name="torch")
    assert candidates.make(bundle, device="auto") == "openvino/bfloat16"


def test_the_half_that_will_run_is_checked_and_timed(candidates: Candidates) -> None:
    points = tiny().partition.points
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
