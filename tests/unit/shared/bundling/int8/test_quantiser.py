"""NNCF as it is called, with another in its place: tests need none."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from kits import quantised

from shared.bundling.int8 import quantiser
from shared.errors import ModelError


class Recorder(SimpleNamespace):
    """Stands in for the module `nncf`: remembers what it was asked, and runs through the pictures."""

    __version__ = "3.4.0"
    OverflowFix = SimpleNamespace(DISABLE="off", ENABLE="on")
    ModelType = SimpleNamespace(TRANSFORMER="transformer")

    def __init__(self, fails: str = "") -> None:
        super().__init__(asked={}, level=None, shapes=[])
        self._fails = fails

    def set_log_level(self, level: int) -> None:
        self.level = level

    def quantize(self, model: object, dataset: Any, **options: Any) -> object:
        if self._fails:
            raise RuntimeError(self._fails)
        print("a progress bar")
        self.shapes = [item.shape for item in dataset]
        self.asked = options
        return model

    Dataset = staticmethod(lambda items: items)
    IgnoredScope = staticmethod(lambda **options: options)
    AdvancedQuantizationParameters = staticmethod(lambda **options: options)


def use(monkeypatch: pytest.MonkeyPatch, fake: Recorder) -> None:
    monkeypatch.setitem(sys.modules, "nncf", fake)  # type: ignore[arg-type]
    monkeypatch.setattr(quantiser, "require_nncf", lambda: None)


TENSORS = [np.zeros((3, 4, 4), np.float32)] * 5


def test_pictures_layers_and_kind_are_passed_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake, shown = Recorder(), []
    use(monkeypatch, fake)
    model = quantised.network()
    found = quantiser.quantise(model, TENSORS, ["stem"], attends=False, show=shown.append)
    assert found is not model
    assert shown == [1, 2, 3, 4, 5]
    assert fake.shapes == [(1, 3, 4, 4)] * 5
    assert fake.level == logging.ERROR
    assert fake.asked == {
        "subset_size": 5,
        "ignored_scope": {"names": ["stem"], "validate": False},
        "advanced_parameters": {"overflow_fix": "off"},
    }
    assert capsys.readouterr().out == ""
    quantiser.quantise(model, TENSORS, [], attends=True)
    assert fake.asked["model_type"] == "transformer"
    quantiser.quantise(model, TENSORS, [], attends=False, portable=True)
    assert fake.asked["advanced_parameters"] == {"overflow_fix": "on"}
    assert quantiser.nncf_version() == "3.4.0"


def test_what_nncf_cannot_do_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Recorder(fails="Somewhere in its code:\nno such operation"))
    with pytest.raises(ModelError, match="nncf cannot quantise this network: no such operation"):
        quantiser.quantise(quantised.network(), TENSORS, [], attends=False)


def test_its_reports_over_the_network_are_off() -> None:
    assert sys.modules["openvino_telemetry"] is None
