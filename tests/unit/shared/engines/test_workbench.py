"""What all candidates share, and what is built only if it is needed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
from kits.bundles import make, tiny
from kits.engines import accepted, error, expected, given_to, middle, warnings

from edge.calibration.gradients import squares_of_gradients
from shared.engines import Engine, make_engine
from shared.engines.openvino import network
from shared.engines.openvino.runtime import precisions
from shared.engines.workbench import Workbench
from shared.errors import EngineError, ModelError, SettingsError
from shared.network.bundle import FETCHED

if TYPE_CHECKING:
    from pathlib import Path

    from shared.network.bundle import Bundle


def from_torch(**source: Any) -> Bundle:
    return dataclasses.replace(tiny(), source={"kind": "torchvision", "model": "resnet18", **source})


def workbench(bundle: Bundle | None = None, **options: Any) -> Workbench:
    defaults: dict[str, Any] = {"device": "cpu", "threads": 1, "streams": 1, "weights": None}
    return Workbench(bundle or tiny(), **defaults | options)


def test_the_network_is_read_once_for_all_precisions(monkeypatch: pytest.MonkeyPatch) -> None:
    read, original = [], network.read
    monkeypatch.setattr(network, "read", lambda bundle: read.append(bundle) or original(bundle))
    bench = workbench()
    assert bench.reference() is bench.reference() is bench.build("openvino", "float32")
    for precision in precisions():
        engine = bench.build("openvino", precision)
        tensors = given_to("tail", middle(), 3)
        got = engine.tail(middle())((tensors,))
        assert error(got, expected("tail", middle(), tensors)) <= accepted(precision), precision
    assert read == [tiny()]


def test_a_precision_that_fails_is_run_by_the_reference_and_the_reference_by_nobody(tmp_path: Path) -> None:
    def change(tensors: dict[str, Any]) -> None:
        tensors["sample/conv"] *= 2

    bundle = make(tmp_path, change_probe=change)
    bench = workbench(bundle)
    for precision in precisions():
        engine = bench.build("openvino", precision)
        with pytest.raises(EngineError) as refusal:
            engine.head(bundle.partition.point("conv"))
        assert "openvino in float32: the head at conv" in str(refusal.value), precision
        assert "computes otherwise than the machine that made the bundle" in str(refusal.value), precision
        assert engine.head(bundle.partition.point("relu"))


def test_a_stand_in_runs_in_float32(caplog: pytest.LogCaptureFixture) -> None:
    bench = workbench()
    for precision in precisions()[:-1]:
        caplog.clear()
        engine = bench.build("openvino", precision)
        engine.check = lambda *_: exec("raise EngineError('it differs')", {"EngineError": EngineError})
        assert engine.tail(middle()) is bench.reference().tail(middle())
        assert warnings(caplog) == ["it differs; openvino in float32 runs this half instead"]


def test_a_source_that_is_gone_is_a_model_error_and_only_torch_needs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def rebuild(source: dict[str, Any], *, weights: str | None = None, fetched: bool = False) -> Any:
        assert not fetched
        asked.append((source, weights))
        raise ModelError("weights /gone.pth: no such file; give --weights")

    monkeypatch.setattr("shared.torch_network.source.rebuild", rebuild)
    bundle = from_torch(weights="/gone.pth")
    assert make_engine(bundle, precision="float32").name == "openvino"
    assert asked == []
    with pytest.raises(ModelError, match="give --weights"):
        make_engine(bundle, name="torch", weights="here.pth")
    assert asked == [(bundle.source, "here.pth")]


def test_the_module_is_rebuilt_from_the_source_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    from kits.torch_networks import module

    class Rebuilt:
        def __init__(self, seed: int) -> None:
            self.module = module(seed)

    monkeypatch.setattr(
        "shared.torch_network.source.rebuild", lambda source, *, weights, fetched: Rebuilt(source["seed"])
    )
    engine = make_engine(from_torch(seed=5), name="torch", threads=1)
    tensors = given_to("tail", middle(), 3)
    assert error(engine.tail(middle())((tensors,)), expected("tail", middle(), tensors)) < 1e-5
    assert (engine.name, engine.precision, engine.device) == ("torch", "float32", "cpu")
    with pytest.raises(EngineError, match="was the weights file changed"):
        make_engine(from_torch(seed=6), name="torch", threads=1)


def test_the_code_that_a_fetched_bundle_names_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')")
    for kind in ("function", "torchvision", "timm"):
        made = make(tmp_path / kind)
        (made.folder / FETCHED).touch()
        bundle = dataclasses.replace(made, source={"kind": kind, "model": f"{tmp_path}/evil.py:build"})
        for options in ({"name": "torch"}, {"device": "cuda"}):
            with pytest.raises(
                SettingsError, match=r"evil\.py:build' as its source, and code that a cloud names"
            ):
                make_engine(bundle, **options)
        assert make_engine(bundle, device="auto", precision="float32").name == "openvino", kind
        with pytest.raises(ModelError, match="code that a cloud names is not run"):
            squares_of_gradients(bundle, bundle.partition.default(), lambda tensors: tensors, [])
    assert not (tmp_path / "run").exists()


def test_the_reference_is_not_read_from_another_bundle(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    bench = workbench(make(tmp_path / "net"))
    make(tmp_path / "net", seed=6)
    with pytest.raises(EngineError, match="another one was put there since"):
        bench.reference()
    (tmp_path / "net" / "bundle.json").unlink()
    with pytest.raises(EngineError, match=r"bundle\.json"):
        bench.reference()


def test_a_device_that_does_not_exist_is_refused() -> None:
    for device in ("tpu", "cuda:77", "cpu:x", ""):
        with pytest.raises(SettingsError, match=f"device '{device}' cannot be used here"):
            make_engine(from_torch(), device=device)


def test_the_real_choice_is_a_right_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing injected: whatever is the fastest here, its answers are the network's."""

    def make_one() -> Engine:
        return make_engine(tiny(), cache_dir=str(tmp_path), kind="tail", point=middle(), threads=1)

    for engine in (make_one(), make_one()):
        tensors = given_to("tail", middle(), 5)
        got = engine.tail(middle())((tensors,))
        assert error(got, expected("tail", middle(), tensors)) <= accepted(engine.precision)
        assert engine.failed_checks == 0
        assert engine.choice["how"] in ("measured", "remembered", "busy", "only one")
    assert not warnings(caplog)
