"""What frames of streams cost: keyframes apart, with and without a session, with what is around each payload."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kits.planner import FUZZ, OUTPUT, PNG, any_conditions, any_objective, any_options, conditions

from edge.planning.costs.sizes import Sizes
from edge.planning.planner import Objective, choose, predict

VIDEO = replace(PNG, codec="h264:quality=23", frame_bytes=1000.0, keyframe_bytes=20_000.0, interval=50)


def test_one_in_each_interval_is_a_keyframe():
    now = conditions()
    assert now.keyframe_share(VIDEO) == pytest.approx(0.02)
    assert now.keyframe_share(PNG) == 0
    assert predict(VIDEO, now).frame_bytes == pytest.approx(0.98 * 1000 + 0.02 * 20_000)


def test_without_a_session_each_is():
    now = conditions(has_session=False, keyframe_sizes={VIDEO.codec: 0.5})
    assert predict(VIDEO, now).frame_bytes == 10_000
    assert predict(PNG, now) == predict(PNG, replace(now, has_session=True))


@pytest.mark.parametrize("loss", [0.001, 0.02, 0.2, 1.0])
def test_and_one_after_each_loss(loss):
    generator, keyframes, since = random.Random(1), 0, VIDEO.interval
    for _ in range(200_000):
        if since >= VIDEO.interval:
            keyframes, since = keyframes + 1, 0
        since = VIDEO.interval if generator.random() < loss else since + 1
    assert conditions(loss=loss).keyframe_share(VIDEO) == pytest.approx(keyframes / 200_000, rel=0.05)


def test_both_kinds_are_learned_apart():
    sizes = Sizes()
    for number in range(100):
        keyframe = number % 10 == 0
        sizes.encoded(VIDEO, 30_000 if keyframe else 700, keyframe=keyframe)
        sizes.encoded(PNG, 50_550, keyframe=True)
    sizes.encoded(OUTPUT, 0, keyframe=True)
    assert sizes.keyframes == {VIDEO.codec: pytest.approx(1.5)}
    assert sizes.usual == {VIDEO.codec: pytest.approx(0.7), "png": pytest.approx(1.5)}
    now = conditions(sizes=sizes.usual, keyframe_sizes=sizes.keyframes)
    assert now.payload_bytes(VIDEO) == pytest.approx(0.98 * 700 + 0.02 * 30_000)


def test_losses_are_those_of_streams():
    sizes = Sizes()
    assert sizes.loss == 0
    for number in range(200):
        sizes.sent(VIDEO, lost=number % 10 == 0)
        sizes.sent(PNG, lost=True)
    assert sizes.loss == pytest.approx(0.1)


def test_on_a_thin_link_what_is_around_a_payload_decides():
    """400 bytes win over 3,000, unless each of them brings a request along."""
    late = replace(PNG, split_point="layer4", frame_bytes=400.0, head_s=0.6)
    now = conditions(0.05, 200, cloud_wait_s=0.0, tails_s={})
    early = replace(PNG, frame_bytes=3000.0, head_s=0.1, tail_s=0.5)
    local = replace(OUTPUT, head_s=0.9)
    thin = choose([late, early, local], replace(now, frame_overhead_bytes=60.0), Objective("throughput"))
    assert thin is late
    assert choose([late, early, local], replace(now, frame_overhead_bytes=6000.0), Objective()) is local


@FUZZ
@given(any_options(), any_conditions, any_objective, st.floats(0, 1e5))
def test_more_around_a_payload_never_makes_what_travels_better(options, now, objective, more):
    heavier = replace(now, frame_overhead_bytes=now.frame_overhead_bytes + more)
    for each in options:
        before, after = predict(each, now), predict(each, heavier)
        if each.is_local:
            assert before == after
        for name in ("latency_s", "period_s", "frame_bytes", "age_s"):
            assert getattr(after, name) >= getattr(before, name) * (1 - 1e-9), name
    local = [each for each in options if each.is_local]
    if local and choose(options, now, objective) is local[0] and objective.kind != "bytes":
        assert choose(options, heavier, objective) is local[0]


@FUZZ
@given(any_conditions, st.floats(0, 1), st.integers(1, 500))
def test_a_share_of_keyframes_is_a_share(now, loss, interval):
    video = replace(VIDEO, interval=interval)
    share = replace(now, loss=loss).keyframe_share(video)
    assert 1 / interval - 1e-9 <= share <= 1 + 1e-9
    assert share >= loss * (1 - 1e-6)


def test_pictures_that_are_larger_than_the_surveys_are_so_by_every_codec():
    """Or else each codec that was not used yet seems to be smaller than the one in use, and is taken for that: two of thirty cells."""
    small = replace(PNG, codec="jpeg:quality=75,subsampling=2", frame_bytes=14_000.0)
    larger = replace(PNG, codec="jpeg:quality=75,subsampling=0", frame_bytes=16_500.0)
    tensor = replace(PNG, split_point="layer2", codec="int8+zstd", frame_bytes=90_000.0)
    sizes = Sizes()
    now = conditions(0.5, 5)
    assert choose([small, larger], now, Objective()) is small
    for _ in range(12):
        sizes.encoded(small, round(1.3 * small.frame_bytes), keyframe=True)
    now = replace(now, sizes=sizes.usual, picture_size=sizes.pictures)
    assert choose([small, larger], now, Objective()) is small
    assert now.payload_bytes(larger) == pytest.approx(1.3 * larger.frame_bytes)
    assert now.payload_bytes(tensor) == tensor.frame_bytes, "of which pictures tell nothing"
    assert now.payload_bytes(VIDEO) == pytest.approx(0.98 * 1000 + 0.02 * 1.3 * 20_000), (
        "but of its keyframes"
    )
    for _ in range(12):
        sizes.encoded(larger, round(0.8 * larger.frame_bytes), keyframe=True)
    now = replace(now, sizes=sizes.usual, picture_size=sizes.pictures)
    assert now.payload_bytes(PNG) == pytest.approx(0.8 * PNG.frame_bytes, rel=1e-3), "as the latest ones are"
    assert choose([small, larger], now, Objective()) is larger
