"""What codecs of streams cost, as consecutive pictures of the source show it."""

from __future__ import annotations

import itertools
import zlib

import numpy as np
import pytest
from kits.streams import Differences
from kits.tiny import SIDE, engine_of, partition_of, tiny_model

from edge.calibration.pictures import spread
from edge.planning.making.known_options import from_json, to_json
from edge.planning.making.survey import survey
from edge.sources.base import Shot
from shared.codecs import make_codec
from shared.engines.segmented import segmented
from shared.network.partition import INPUT, OUTPUT

MODEL = tiny_model()
PARTITION = partition_of(MODEL)
START, END = PARTITION.ends
NETWORK = segmented(engine_of(MODEL), [START, PARTITION.point("relu"), END])
RUN = 6


def film(scenes, run=RUN):
    """Scenes that have nothing in common, in each of which hardly anything changes."""
    generator, pictures = np.random.default_rng(3), []
    for _ in range(scenes):
        picture = generator.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
        for number in range(run):
            picture = picture.copy()
            picture[0, 0] = number
            pictures.append(picture)
    return pictures


def surveyed(codec, pictures, run=RUN, point=INPUT):
    ticks = itertools.count()
    codecs = {point: {"differences": codec, "float32": make_codec("float32")}} if point != INPUT else {
        INPUT: {"differences": codec, "png": make_codec("png")}
    }  # fmt: skip
    found = survey(
        NETWORK,
        MODEL,
        pictures,
        codecs | {OUTPUT: {}},
        preprocess_s=0.0,
        run=run,
        clock=lambda: 1e-4 * next(ticks),
    )
    return {each.codec: each for each in found}


@pytest.mark.parametrize("point", [INPUT, "relu"])
def test_keyframes_are_counted_apart(point):
    codec = Differences("picture" if point == INPUT else "tensor", interval=20)
    pictures = film(4)
    found = surveyed(codec, pictures, point=point)["differences"]
    assert found.interval == 20
    assert found.frames == 24
    assert found.agreement == 1.0, "the decoder had the frame before each"
    assert 0 < found.frame_bytes < 0.3 * found.keyframe_bytes
    if point == INPUT:
        firsts = [len(zlib.compress(picture.tobytes())) for picture in pictures[::RUN]]
        assert found.keyframe_bytes == pytest.approx(np.mean(firsts))
    encoder = codec.made[0]
    assert encoder.needed == [number % RUN > 0 for number in range(24)], "a keyframe wherever a run begins"


def test_the_codecs_own_interval_counts_too():
    codec = Differences(interval=3)
    surveyed(codec, film(2))
    assert codec.made[0].needed == [False, True, True] * 4


def test_of_a_single_picture_all_are_keyframes():
    found = surveyed(Differences(), film(1)[:1])["differences"]
    assert found.frame_bytes == found.keyframe_bytes > 0


def test_others_have_neither():
    found = surveyed(Differences(), film(3))
    for name in ("png", None):
        assert (found[name].keyframe_bytes, found[name].interval) == (0.0, 0)


def test_what_was_found_can_be_kept():
    found = list(surveyed(Differences(), film(2)).values())
    assert from_json(to_json(found)) == found


# --- which pictures -----------------------------------------------------------------------------------------------


def taken(count, most, run, *, live=False, damaged=()):
    shots = iter([Shot(number, number, damaged=number in damaged) for number in range(count)])
    return spread(lambda: next(shots, None), lambda number: number, most, live=live, run=run)


@pytest.mark.parametrize("count", [0, 1, 5, 6, 7, 12, 48, 95, 96, 97, 200, 600, 1000])
def test_runs_follow_each_other_and_are_spread(count):
    found = taken(count, 48, 6)
    assert len(found) == min(48, count - count % 6 if count >= 6 else count)
    assert found == sorted(set(found))
    runs = [found[start : start + 6] for start in range(0, len(found), 6)]
    for each in runs:
        assert each == list(range(each[0], each[0] + len(each)))
    if count >= 200:
        gaps = [after[0] - before[0] for before, after in itertools.pairwise(runs)]
        assert max(gaps) <= 2.1 * min(gaps), gaps
        assert runs[-1][-1] >= 0.7 * count


def test_a_live_source_is_left_at_the_end_of_a_run():
    assert taken(1000, 12, 6, live=True) == list(range(12))


def test_after_what_is_damaged_a_run_begins_anew():
    assert taken(8, 6, 3, damaged={1, 4}) == [5, 6, 7]
    assert taken(12, 6, 3, damaged={1, 5, 9}) == [2, 3, 4, 6, 7, 8]
    assert taken(9, 6, 6, damaged={3, 8}) == [4, 5, 6, 7], "there is no whole one"
    for count in (200, 600):
        damaged = set(range(0, count, 20))
        found = taken(count, 48, 6, damaged=damaged)
        assert len(found) == 48
        for start in range(0, 48, 6):
            assert found[start : start + 6] == list(range(found[start], found[start] + 6))
        assert not damaged & {*found}
