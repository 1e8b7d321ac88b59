"""Which cells a run of the stream report has."""

from fractions import Fraction

import pytest

from bench.link.stream import command
from bench.link.stream.choices import HTTP, SESSION
from bench.link.stream.clip import Clip
from bench.link.stream.command import OVERHEAD_FPS, jobs
from bench.link.stream.conditions import FREE
from bench.link.stream.options import StreamOptions


@pytest.fixture
def options(monkeypatch, tmp_path):
    """Made of flags; clips are empty files that nothing reads."""
    monkeypatch.setattr(Clip, "of", lambda path: Clip(path, 0, (0, 1), Fraction(30)))
    paths = [tmp_path / "bottle.mp4", tmp_path / "car.mp4"]
    for path in paths:
        path.touch()

    def read(*flags):
        return StreamOptions.read(["--stream", "--clips", ",".join(map(str, paths)), *flags])

    return read


def cells(found):
    return [(job.clip.name, job.condition.name, str(job.choice), job.way) for job in found]


def test_every_clip_link_choice_and_way(options, monkeypatch):
    monkeypatch.setattr(command, "knows_sessions", lambda: True)
    found, left_out = jobs(
        options("--links", "50/200,lte", "--choices", "input/jpeg output", "--overhead", "")
    )
    one = [
        ("50/200", "input/jpeg", HTTP), ("50/200", "input/jpeg", SESSION), ("50/200", "output", HTTP),
        ("lte", "input/jpeg", HTTP), ("lte", "input/jpeg", SESSION),
    ]  # fmt: skip
    assert cells(found) == [(clip, *each) for clip in ("bottle", "car") for each in one]
    assert left_out == []
    assert {job.fps for job in found} == {30.0}
    assert len({str(job.key) for job in found}) == len(found)


def test_the_overhead_is_measured_once_by_each_way_with_tls_and_without(options, monkeypatch):
    monkeypatch.setattr(command, "knows_sessions", lambda: True)
    found, _ = jobs(options("--links", "50/200", "--choices", "output", "--overhead", "avgpool/int8"))
    beside = [job for job in found if job.condition.name == FREE]
    assert [(job.way, job.tls) for job in beside] == [
        (HTTP, False), (SESSION, False), (HTTP, True), (SESSION, True)
    ]  # fmt: skip
    assert {(job.fps, job.clip.name) for job in beside} == {(OVERHEAD_FPS, "bottle")}


def test_what_this_checkout_cannot_do_is_left_out_and_said(options, monkeypatch):
    monkeypatch.setattr(command, "knows_sessions", lambda: False)
    found, left_out = jobs(
        options("--links", "50/200", "--choices", "input/h999 input/h264 input/jpeg", "--overhead", "")
    )
    assert {(choice, way) for _, _, choice, way in cells(found)} == {("input/jpeg", HTTP)}
    assert [each.partition(":")[0] for each in left_out] == [SESSION, "input/h999", "input/h264"]


def test_the_default_choices_and_links_can_be_read(options):
    given = options()
    assert len(given.chosen()) == 9
    assert len(given.conditions()) == 6
    quick = options("--quick")
    assert (quick.seconds, quick.choices) == (4.0, "avgpool/calibrated@0.6")
