"""Codecs of other packages: the planner may choose them where what they carry travels."""

from __future__ import annotations

import pytest
from kits.choices import FLOAT16, INT8, STAGES
from kits.plugins import Entry, Halves, Inverted, install

from edge.planning.choices import picture_codecs
from shared.errors import SettingsError


@pytest.fixture(autouse=True)
def _installed(monkeypatch):
    install(monkeypatch, Entry("halves", Halves), Entry("inverted", Inverted))


def test_they_are_among_the_planners_choices(make):
    found = make("auto", "auto")
    assert found["input"] == [*picture_codecs(), "inverted"]
    assert found["relu"] == [INT8, "halves"]
    assert found["layer2"] == [INT8, FLOAT16, "halves"]
    assert found["output"] == ["none"]


def test_one_that_was_pinned_goes_to_every_place_that_it_fits(make):
    assert make("auto", "halves:keep=3") == {point: ["halves:keep=3"] for point in STAGES} | {
        "output": ["none"]
    }
    assert make("auto", "inverted") == {"input": ["inverted"], "output": ["none"]}


def test_each_plan_has_an_encoder_of_its_own(make, monkeypatch):
    class Remembering(Halves):
        def for_stream(self):
            return Remembering()

    install(monkeypatch, Entry("halves", Remembering))
    for asked in (("auto", "halves"), ("layer3", "halves")):
        make(*asked)
        encoders = [plan.codec._inner for plan in make.plans if plan.codec]
        assert len({id(encoder) for encoder in encoders}) == len(encoders)


def test_stillness_is_not_seen_in_what_they_send(make):
    found = make("auto", "auto", still_threshold=0.1)
    assert not {"halves", "inverted"} & {name for names in found.values() for name in names}
    with pytest.raises(SettingsError, match=r"--still-threshold .*halves"):
        make("layer3", "halves", still_threshold=0.1)
