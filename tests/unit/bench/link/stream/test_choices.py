"""What may be sent, over which links, as the command line says it."""

import math

import pytest

from bench.emulator.traces import KINDS
from bench.link.stream import choices
from bench.link.stream.choices import HTTP, SESSION, Choice, way_flags
from bench.link.stream.conditions import FREE, Condition
from bench.link.stream.options import StreamOptions


def test_choices_are_read_and_written():
    for text, expected in {
        "layer3/calibrated@2.8": Choice("layer3", "calibrated", 2.8),
        "layer3/calibrated-inter:interval=50,sticky=40@2.8": Choice(
            "layer3", "calibrated-inter:interval=50,sticky=40", 2.8
        ),
        "input@source/h264:quality=30": Choice("input", "h264:quality=30", None, source_size=True),
        "input/jpeg": Choice("input", "jpeg"),
        "output": Choice("output"),
    }.items():
        assert Choice.read(text) == expected, text
        assert str(expected) == text
    assert Choice.read("layer3/calibrated").step == 2.3, "a fitted codec has a profile, and so a step"


@pytest.mark.parametrize("text", ["layer3", "output/jpeg", "layer3/calibrated@wide", "/jpeg", ""])
def test_what_is_no_choice(text):
    with pytest.raises(ValueError, match="accepted are POINT/CODEC"):
        Choice.read(text)


def test_a_choice_becomes_flags(tmp_path):
    choice = Choice.read("input@source/jpeg:quality=50")
    assert choice.flags(None) == ["--split-point=input", "--codec=jpeg:quality=50", "--picture-size=source"]
    profile = tmp_path / "p"
    assert Choice.read("avgpool/calibrated").flags(profile)[-1] == f"--profile={profile}"
    assert Choice.read("output").flags(None) == ["--split-point=output"]


def test_a_codec_that_is_not_there_is_named_and_one_that_is_goes_both_ways():
    assert "unknown codec 'h999'" in Choice.read("input/h999").unknown
    assert not Choice.read("input/jpeg").unknown
    assert not Choice.read("output").unknown
    assert Choice.read("input/jpeg").ways((HTTP, SESSION)) == (HTTP, SESSION)
    assert Choice.read("output").ways((HTTP, SESSION)) == (HTTP,), "where nothing travels there is no way"


def test_what_needs_the_frame_before_it_travels_in_sessions_only(monkeypatch):
    class Inter:
        inter = True

    monkeypatch.setattr(choices, "make_codec", lambda _: Inter())
    assert Choice.read("layer3/h264").ways((HTTP, SESSION)) == (SESSION,)
    assert Choice.read("layer3/h264").ways((HTTP,)) == ()


@pytest.mark.parametrize(
    ("knows", "flags"), [(False, ([], [])), (True, (["--session=off"], ["--session=only"]))]
)
def test_an_edge_is_told_the_way_if_it_knows_several(knows, flags, monkeypatch):
    monkeypatch.setattr(choices, "knows_sessions", lambda: knows)
    assert (way_flags(HTTP), way_flags(SESSION)) == flags


def test_links_are_read():
    link = Condition.read("50/200", 0.05).link
    assert (link.up_bits_per_s, link.down_bits_per_s, link.delay_s, link.loss) == (50e3, 50e3, 0.1, 0.05)
    assert link.stall_s == pytest.approx(0.4), "a round trip and 200 ms"
    assert Condition.read("50/200", 0.05, 0.2).link.stall_s == 0.2
    assert Condition.read(FREE, 0.05).link.up_bits_per_s == math.inf
    assert Condition.read("50/200", 0.05).about == "50 kbit/s, 200 ms, 5 % of segments late by 400 ms"
    assert Condition.read("lte").trace(10, 3) == KINDS["lte"].trace(10, 3)
    assert len(Condition.read("50/200").trace(10, 3)) == 1


@pytest.mark.parametrize("text", ["50", "fast", "50/", "0/200", "50/-1", "5g"])
def test_what_is_no_link(text):
    with pytest.raises(ValueError, match="accepted are KBIT/MS"):
        Condition.read(text)


@pytest.mark.parametrize(
    "flags",
    [
        ["--links", "fast"], ["--choices", "layer3"], ["--ways", "pigeon"], ["--clips", "nowhere.mp4"], ["--loss", "101"],
        ["--seconds", "0"],
    ],
)  # fmt: skip
def test_flags_that_make_no_sense_are_refused(flags, capsys, tmp_path):
    clip = tmp_path / "clip.mp4"
    clip.touch()
    with pytest.raises(SystemExit) as ended:
        StreamOptions.read(["--stream", "--clips", str(clip), *flags])
    assert ended.value.code == 2
    assert flags[1] in (said := capsys.readouterr().err) or flags[0] in said
