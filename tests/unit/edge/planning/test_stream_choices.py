"""Codecs of streams among the choices: where there are their encoders, and used while there is a session."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from kits.choices import profile_of, write
from kits.pilot import FAST_CLOUD, Flight
from kits.planner import MBIT, OUTPUT, PNG
from kits.streams import Differences

from edge.planning import choices
from edge.planning.choices import PICTURE_CODECS, VIDEO_CODECS
from edge.planning.planner import SHORTEST_STAY_S, Objective
from shared.codecs.calibrated.codec import Calibrated
from shared.errors import ProfileContentError, SettingsError

REAL = choices.make_codec
VIDEO = replace(PNG, codec="h264:quality=23", frame_bytes=1000.0, keyframe_bytes=60_000.0, interval=50)


class Inter(Calibrated):
    """Stands in for `calibrated-inter`: of profiles for `layer4` only."""

    name = "calibrated-inter"
    inter = True

    def bind(self, profile):
        if profile.split_point != "layer4":
            raise ProfileContentError("nothing of frames that follow each other")
        return Inter(profile)


@pytest.fixture
def here(monkeypatch):
    """Encoders that this machine has, by name; the others of VIDEO_CODECS and PROFILE_CODECS are missing."""
    found = {}

    def make_codec(name):
        if name in found:
            return found[name]
        if name in VIDEO_CODECS or name.startswith("calibrated-inter"):
            raise SettingsError(f"unknown codec {name}")
        return REAL(name)

    monkeypatch.setattr(choices, "make_codec", make_codec)
    return found


def test_videos_are_choices_where_there_are_their_encoders(make, surveys, here):
    assert make()["input"] == list(PICTURE_CODECS)
    assert not any(codec.inter for each in surveys[0][1].values() for codec in each.values())
    here[VIDEO_CODECS[0]] = codec = Differences()
    assert make()["input"] == [*PICTURE_CODECS, VIDEO_CODECS[0]]
    (plan,) = [plan for plan in make.plans if plan.label == VIDEO_CODECS[0]]
    assert plan.codec in codec.made
    assert make(session="off")["input"] == list(PICTURE_CODECS)


def test_the_inter_codec_is_beside_calibrated_where_the_profile_has_what_it_takes(make, here, tmp_path):
    path = write(tmp_path / "folder", profile_of("layer4"), profile_of("avgpool"))
    here["calibrated-inter"] = Inter()
    found = make("auto", profile=path)
    assert found["layer4"][-2:] == ["calibrated", "calibrated-inter"]
    assert found["avgpool"][-1] == "calibrated"
    assert make("auto", "calibrated-inter", profile=path) == {
        "layer4": ["calibrated-inter"],
        "output": ["none"],
    }
    assert make("auto", "calibrated", profile=path)["layer4"] == ["calibrated"]


# --- in flight ----------------------------------------------------------------------------------------------------


class Carried(Flight):
    """A pilot whose uplink says how it carries frames."""

    def __init__(self, *options, session, overhead=60.0):
        self.wire = SimpleNamespace(has_session=session, frame_overhead_bytes=overhead)
        super().__init__(
            options, Objective("latency", 0.9), bytes_per_s=2 * MBIT, wire=self.wire, explore_s=0.0
        )
        self.pilot.take_tail_times(FAST_CLOUD)


SLOW_EDGE = replace(OUTPUT, head_s=0.5)


def test_a_stream_is_used_while_there_is_a_session():
    with_session = Carried(PNG, VIDEO, SLOW_EDGE, session=True)
    assert with_session.option is VIDEO
    without = Carried(PNG, VIDEO, SLOW_EDGE, session=False)
    assert without.option is PNG
    with_session.answer(6)
    with_session.clock.now += SHORTEST_STAY_S
    with_session.wire.has_session = False
    with_session.answer()
    assert with_session.option is PNG, "each of its frames would be a keyframe"
    without.answer(6)
    without.clock.now += SHORTEST_STAY_S
    without.wire.has_session = True
    without.answer()
    assert without.option is VIDEO


def test_if_nothing_else_can_be_chosen_it_goes_on_with_keyframes():
    assert Carried(VIDEO, session=False).option is VIDEO


def test_frames_that_are_lost_make_keyframes_and_those_are_learned():
    flight = Carried(VIDEO, SLOW_EDGE, session=True)
    before = flight.pilot._seen.conditions().wire_bytes(VIDEO)
    assert before == pytest.approx(0.98 * 1000 + 0.02 * 60_000 + 60)
    for _ in range(50):
        flight.answer(1)
        flight.pilot.failed(flight.plans[flight.option], explored=False)
    now = flight.pilot._seen.conditions()
    assert now.keyframe_share(VIDEO) == pytest.approx(0.5, abs=0.02)
    flight.deliver(keyframe=True, size=30_000)
    flight.deliver(keyframe=False, size=500)
    assert flight.pilot._seen.conditions().keyframe_sizes == {VIDEO.codec: 0.5}
    assert flight.pilot._seen.conditions().sizes == {VIDEO.codec: 0.5}


def test_a_failure_is_that_of_the_plan_which_failed():
    flight = Carried(VIDEO, SLOW_EDGE, session=True)
    for _ in range(50):
        flight.answer(1)
        flight.pilot.failed(flight.plans[SLOW_EDGE], explored=True)
    assert flight.pilot._seen.conditions().keyframe_share(VIDEO) == pytest.approx(0.02)
