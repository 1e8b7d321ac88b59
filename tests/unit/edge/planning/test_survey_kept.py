"""When a survey is kept, when another one is made, and on which pictures."""

from __future__ import annotations

import dataclasses
import logging

import pytest
from kits.choices import SOURCE, network_of, profile_of, write
from kits.edge import FakeSource, settings_of
from kits.tiny import TinyEngine, tiny_model

from edge.calibration import pictures
from edge.planning.choices import make_plans
from edge.planning.making import known_options
from shared.errors import SplitDNNError


def test_a_survey_is_made_once(make, surveys, caplog):
    caplog.set_level(logging.INFO)
    make()
    options = [plan.option for plan in make.plans]
    make()
    assert [plan.option for plan in make.plans] == options
    assert len(surveys) == 1
    assert len(surveys[0][0]) == 12
    assert caplog.text.count("surveying 7 split points on 12 pictures; this is done once") == 1


@pytest.mark.parametrize(
    "change",
    [{"source": SOURCE.replace("12", "13")}, {"grayscale": True}, {"codec": "int8"}, {"split_point": "layer2"}],
)  # fmt: skip
def test_other_footage_or_another_choice_is_surveyed_anew(make, surveys, change):
    make("auto", "auto")
    make(**({"split_point": "auto", "codec": "auto"} | change))
    assert len(surveys) == 2


def test_another_profile_is_surveyed_anew(make, surveys, tmp_path):
    one = write(tmp_path / "one.safetensors", profile_of("avgpool"))
    make("auto", profile=one)
    make("auto", profile=one)
    assert len(surveys) == 1
    make("auto", profile=write(tmp_path / "two.safetensors", profile_of("avgpool", seed=1)))
    assert len(surveys) == 2


def test_another_engine_or_network_is_surveyed_anew(surveys, tmp_path):
    settings = settings_of(source=SOURCE, cache_dir=str(tmp_path), split_point="auto")
    one, other = network_of(tiny_model()), network_of(tiny_model(fingerprint=b"othertin"))
    rough = TinyEngine(tiny_model())
    rough.precision = "bfloat16"
    shared = TinyEngine(tiny_model())
    shared.streams = 2
    engines = [dataclasses.replace(one, engine=each) for each in (rough, shared)]
    for network in (one, one, *engines, other):
        make_plans(settings, network)
    assert len(surveys) == 4


def test_another_machine_surveys_anew(make, surveys, monkeypatch):
    make()
    monkeypatch.setattr(known_options, "machine", lambda: "a toaster")
    make()
    assert len(surveys) == 2


@pytest.mark.parametrize("text", ["", "[]", "{}", '[{"split_point": "input"}]', "\x00"])
def test_one_that_cannot_be_read_is_made_anew(make, surveys, tmp_path, text):
    make()
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_text(text)
    make()
    assert len(surveys) == 2


def test_of_a_live_source_drawn_frames_are_surveyed_and_without_a_folder_every_time(make, surveys, caplog):
    for _ in range(2):
        make("auto", "png", source="synthetic:fps=10", cache_dir="")
    assert [len(pictures) for pictures, _ in surveys] == [48, 48]
    assert "the source cannot be read twice" in caplog.text


def test_a_source_without_frames(make, monkeypatch):
    source = FakeSource([])
    source.open = source.close = lambda: None
    monkeypatch.setattr(pictures, "open_source", lambda *_, **__: source)
    with pytest.raises(SplitDNNError, match="fake: no frame to survey the split points with"):
        make()
