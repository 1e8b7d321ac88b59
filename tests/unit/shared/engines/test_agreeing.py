"""An int8 network on another processor: what it keeps is counted at load, and the float32 one stands in if that is too little."""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits import int8_bundle

from shared.engines import agreeing, load, make_engine
from shared.engines.agreeing import Found, check_agreement
from shared.engines.base import TOLERANCES
from shared.engines.load import Network, load_network
from shared.errors import ContentError, EngineError
from shared.network.bundle import float_of, read_bundle
from shared.observing.metrics import Metrics
from shared.process.settings import CommonSettings
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
TOO_LITTLE = Found(0.2, 0.1, 0.35, 16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Copies of an int8 bundle and of the float32 one beside it."""
    _, report = int8_bundle.made()
    assert report.bundle is not None, report.why_not
    target = tmp_path / "int8"
    shutil.copytree(report.bundle.folder, target)
    shutil.copytree(float_of(report.bundle.folder), float_of(target))
    return target


def loaded(folder: Path, cache: str = "", **options: Any) -> Network:
    settings = CommonSettings(model=str(folder), cache_dir=cache)
    return load_network(
        settings, Metrics("splitdnn_test_", (), ()), "head", weights="auto", seed=0, patience_s=1, threads=1, **options
    )  # fmt: skip


def test_where_it_was_made_it_keeps_what_its_maker_counted(folder: Path) -> None:
    bundle = read_bundle(folder)
    found = check_agreement(bundle, make_engine(bundle, threads=1), "")
    assert found is not None
    assert bundle.manifest.int8 is not None
    assert (found.agreement, found.pictures) == (
        bundle.manifest.int8.agreement,
        bundle.manifest.int8.pictures,
    )


def test_a_float32_bundle_is_not_asked(folder: Path) -> None:
    bundle = read_bundle(float_of(folder))
    assert check_agreement(bundle, make_engine(bundle, threads=1, precision="float32"), "") is None


def test_it_is_counted_once_a_machine(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = str(tmp_path / "cache")
    network = loaded(folder, cache)
    monkeypatch.setattr(agreeing, "_counted", lambda *_: pytest.fail("counted again"))
    assert loaded(folder, cache).model.fingerprint == network.model.fingerprint


def test_what_is_compared_is_chosen_by_each_pictures_own_answer(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the maker chose it: a detector's threshold is looked for on a few pictures, spread over all."""
    bundle, asked = read_bundle(folder), []
    engine = make_engine(bundle, threads=1)
    assert engine.probe is not None
    held = engine.probe.held_out()
    assert held is not None
    _, expected = held

    def telling(model: Any, count: int, outputs_of: Any) -> Any:
        asked.append(count)
        for number in (0, count // 2, count - 1):
            np.testing.assert_array_equal(outputs_of(number)[0], expected[0][number : number + 1])
        return make_task(model, Wanted())

    monkeypatch.setattr(agreeing, "telling_task", telling)
    assert check_agreement(bundle, engine, "") is not None
    assert asked == [len(expected[0])]


def test_outputs_that_the_task_cannot_read_keep_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a detector whose numbers are none: the float32 network stands in, and the start does not end."""

    class Strict:
        @staticmethod
        def agreement(_expected: Any, found: Any) -> Any:
            raise ContentError(f"the network's answer is {found[0].flat[0]}")

    bundle = read_bundle(folder)
    engine = make_engine(bundle, threads=1)
    (shape,) = bundle.partition.ends[1].shapes
    monkeypatch.setattr(agreeing, "telling_task", lambda *_: Strict)
    for value in (np.nan, 1.0):
        monkeypatch.setattr(
            engine,
            "once",
            lambda *_, value=value: lambda _tensors: (np.full((1, *shape), value, np.float32),),
        )
        with pytest.raises(EngineError, match=r"on this processor its int8 network keeps 0\.0%"):
            check_agreement(bundle, engine, "")


def test_where_it_keeps_too_little_the_float32_network_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(agreeing, "_counted", lambda *_: TOO_LITTLE)
    with caplog.at_level(logging.WARNING):
        network = loaded(folder)
    int8 = read_bundle(folder).manifest
    assert int8.int8 is not None
    assert network.model.fingerprint.hex() == int8.int8.float_fingerprint
    assert network.engine.precision != "int8"
    assert network.digest == int8.digest != network.bundle.manifest.digest
    (line,) = [record.getMessage() for record in caplog.records if "int8" in record.getMessage()]
    assert "on this processor its int8 network keeps 20.0%" in line
    assert f"the float32 network runs instead, from {float_of(folder)}" in line


def test_what_another_process_computes_with_holds_for_the_float32_network_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def made(bundle: Any, **options: Any) -> Any:
        asked.append((options["name"], options["precision"]))
        return make_engine(bundle, **options)

    monkeypatch.setattr(load, "make_engine", made)
    alike = "openvino", "float32"
    assert loaded(folder, alike=alike).engine.precision == "int8"
    monkeypatch.setattr(agreeing, "_counted", lambda *_: TOO_LITTLE)
    assert loaded(folder, alike=alike).engine.precision == "float32"
    assert asked == [("auto", "auto"), ("auto", "auto"), alike]


def test_without_a_float32_bundle_beside_it_the_start_fails_with_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreeing, "_counted", lambda *_: TOO_LITTLE)
    other = float_of(folder) / "bundle.json"
    other.write_text("{}")
    with pytest.raises(
        EngineError, match=r"Give both sides the float32 bundle \(its folder would be .*int8\.float\)"
    ):
        loaded(folder)
    shutil.rmtree(float_of(folder))
    with pytest.raises(EngineError, match="or make the int8 one again on this machine"):
        loaded(folder)


def test_a_float32_bundle_that_lies_elsewhere_is_brought(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreeing, "_counted", lambda *_: TOO_LITTLE)
    int8, elsewhere = read_bundle(folder).manifest, tmp_path / "fetched"
    float_of(folder).rename(elsewhere)
    network = loaded(folder, bring_float=lambda told: elsewhere if told == int8 else None)
    assert network.bundle.folder == elsewhere
    assert network.digest == int8.digest
    with pytest.raises(EngineError, match="Give both sides the float32 bundle"):
        loaded(folder, bring_float=lambda _: None)


def test_an_int8_bundle_stands_in_for_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cloud that gives one for its float32 network keeps no edge busy for ever."""
    monkeypatch.setattr(agreeing, "_counted", lambda *_: TOO_LITTLE)
    shutil.rmtree(float_of(folder))
    asked: list[object] = []

    def again(told: object) -> Path:
        asked.append(told)
        assert len(asked) < 3
        return folder

    with pytest.raises(EngineError, match=r"keeps 20\.0%"):
        loaded(folder, bring_float=again)
    assert len(asked) == 1


def test_a_half_that_is_wrong_altogether_leads_there_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(bundle: object, **options: object) -> object:
        if read_bundle(folder).manifest.digest == bundle.manifest.digest:  # type: ignore[attr-defined]
            raise EngineError("the head differs")
        return make_engine(bundle, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(load, "make_engine", failing)
    assert loaded(folder).bundle.folder == float_of(folder)


def test_that_values_differ_from_the_probe_is_said(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    bundle = read_bundle(folder)
    engine = make_engine(bundle, threads=1)
    point = bundle.partition.default()
    half = engine.tail(point)
    with caplog.at_level(logging.INFO):
        engine.check("tail", point, half)
    assert "rounds otherwise" not in caplog.text
    with caplog.at_level(logging.INFO):
        engine.check("tail", point, lambda tensors: tuple(1.01 * each for each in half(tensors)))
    assert "this processor rounds otherwise than the one that made the bundle" in caplog.text
    with pytest.raises(EngineError, match=f"accepted: {TOLERANCES['int8']:g}"):
        engine.check("tail", point, lambda tensors: tuple(np.zeros_like(each) for each in half(tensors)))
