"""What the table can tell apart: a table that called everything right would be worth nothing."""

from __future__ import annotations

import numpy as np
import pytest
from kits.media import clip
from kits.media.comparing import compare_pictures, compare_times
from kits.media.distance import distance
from kits.media.expected import Refused, Spoiled, Whole
from kits.media.making import Spoilt, Video
from kits.media.reading import Reading
from kits.media.reference import Seen, shown
from kits.media.row import Outcome
from kits.media.spoiling import Cut, Packet, places

from edge.sources.base import Shot

H264 = "-c:v libx264 -crf 8 -bf 0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("distance")


def frames_of(folder, name, encode=H264, **how):
    Video(encode, frames=3, **how).write(folder / name)
    return shown(folder / name)


def test_what_is_wrong_lies_far_from_what_is_right(folder):
    right = clip.frame(160, 120, 0)
    (plain, *_) = frames_of(folder, "plain.mp4")
    wrong = {
        "the next frame": clip.frame(160, 120, 1),
        "mirrored": right[:, ::-1],
        "upside down": right[::-1],
        "squeezed": clip.frame(80, 120, 0),
        "red and blue exchanged": right[..., ::-1],
        "limited range taken for full": (right * (219 / 255) + 16).astype(np.uint8),
        "woven of two": np.where(np.arange(120)[:, None, None] % 2, right, clip.frame(160, 120, 0.5)),
        "half of it grey": np.where(np.arange(120)[:, None, None] < 60, right, 128).astype(np.uint8),
    }
    assert distance(right, right).near
    assert distance(plain.picture, right).percentile <= 8, "the reference shows another picture"
    near = [what for what, picture in wrong.items() if distance(picture, right).near]
    assert near == []


def test_a_matrix_or_range_that_is_not_the_marked_one_lies_far_away(folder):
    """The same samples, marked otherwise."""
    marks = {
        f"{space}-{extent}": f"{H264} -colorspace {space} -color_range {extent}"
        for space in ("bt709", "bt470bg", "bt2020nc") for extent in ("tv", "pc")
    }  # fmt: skip
    plain = "-vf setparams=colorspace=bt709:range=tv,format=yuv420p,setparams=colorspace={}:range={}"
    pictures = {}
    for name in marks:
        space, extent = name.split("-")
        encode = f"{H264} {plain.format(space, extent)}"
        pictures[name] = frames_of(folder, f"{name}.mp4", encode)[0].picture
    near = [
        (one, other)
        for one in marks
        for other in marks
        if one < other and distance(pictures[one], pictures[other]).near
    ]
    assert near == []


def test_frames_that_are_missing_wrong_late_or_marked_are_misses():
    seen = [Seen(clip.frame(160, 120, at), at / 10) for at in range(4)]
    shots = [Shot(each.picture, at, each.time_s) for at, each in enumerate(seen)]

    def misses(reading):
        return Whole(lambda path: seen).judge(None, None, reading).misses

    assert misses(Reading(shots)) == []
    others = {
        "too few": Reading(shots[:3]),
        "in another order": Reading([shots[1], shots[0], *shots[2:]]),
        "late": Reading([*shots[:3], Shot(seen[3].picture, 3, 0.31)]),
        "without a time": Reading([*shots[:3], Shot(seen[3].picture, 3)]),
        "with another number": Reading([*shots[:3], Shot(seen[3].picture, 4, 0.3)]),
        "called damaged": Reading([*shots[:3], Shot(seen[3].picture, 3, 0.3, damaged=True)]),
        "called undecodable": Reading(shots, undecodable=1),
        "with a warning": Reading(shots, said=["the file may be truncated"]),
        "refused": Reading(refusal="no"),
    }
    assert [what for what, reading in others.items() if not misses(reading)] == []


def test_a_refusal_must_say_why(tmp_path):
    path = tmp_path / "clip.mp4"
    expected = Refused(("no index",))
    assert expected.judge(path, None, Reading(refusal=f"{path}: it has no index")).misses == []
    for reading in (Reading(), Reading(refusal=f"{path}: bad"), Reading(refusal=f"{path}: it has\nno index")):
        assert expected.judge(path, None, reading).misses, reading


def test_times_may_begin_elsewhere_only_where_that_is_allowed():
    pairs = [
        (Shot(clip.frame(16, 16, 0), at, 1 + at / 10), Seen(clip.frame(16, 16, 0), at / 10))
        for at in range(3)
    ]
    for clock, right in (("same", False), ("between", True), ("none", True)):
        outcome = Outcome()
        compare_times(outcome, pairs, clock)
        assert (not outcome.misses) == right, clock


def test_what_is_spoilt_and_not_marked_is_a_miss(folder):
    maker = Spoilt(Video(f"{H264} -g 4", frames=8), Packet(5, "zeros"))
    path = folder / "spoilt.mp4"
    maker.write(path)
    whole = shown(next(folder.glob("kept-*.mp4")))
    wrong = clip.frame(160, 120, 40)

    def misses(shots, **counted):
        return Spoiled(4).judge(path, maker, Reading(shots, **counted)).misses

    good = [Shot(seen.picture, at, seen.time_s) for at, seen in enumerate(whole)]
    silent = [*good[:5], Shot(wrong, 5, 0.5), *good[6:]]
    marked = [*good[:5], Shot(wrong, 5, 0.5, damaged=True), *good[6:]]
    assert misses(marked) == []
    assert misses([*good[:5], *good[6:]], undecodable=1) == []
    assert any("away" in miss for miss in misses(silent))
    assert "not counted" in misses([*good[:5], *good[6:]])
    assert any("only" in miss for miss in misses(good[:3], undecodable=5))


def test_a_packet_is_found_where_it_lies(folder):
    Video(f"{H264} -g 4", frames=8).write(folder / "plain.mkv")
    path = folder / "plain.mkv"
    found = places(path)
    assert len(found) == 8
    assert all(start + size <= path.stat().st_size for start, size in found)
    spoilt = Packet(5, "zeros")(path.read_bytes(), path)
    changed = [at for at, (old, new) in enumerate(zip(path.read_bytes(), spoilt, strict=True)) if old != new]
    assert found[5][0] <= changed[0] <= changed[-1] < sum(found[5])
    assert len(Cut(0.25)(path.read_bytes(), path)) == path.stat().st_size // 4


def test_pictures_of_another_size_are_named():
    outcome = Outcome()
    compare_pictures(outcome, [(Shot(clip.frame(16, 8, 0), 0), Seen(clip.frame(8, 8, 0)))])
    assert outcome.misses == ["frame 0: 16x8, not 8x8"]
