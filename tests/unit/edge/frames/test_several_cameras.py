"""Several cameras share steps, network and uplink, and nothing that happens to one is another's business."""

from __future__ import annotations

import asyncio
import logging
import threading

import numpy as np
import pytest
from kits.cameras import Cameras
from kits.edge import FakeSource, pictures
from kits.tiny import SIDE

from edge.sources.base import Shot
from shared.codecs import decode_frame
from shared.errors import SourceError


async def until(condition):
    while not condition():
        await asyncio.sleep(0.002)


def endless(name, seed):
    return {name: FakeSource(pictures(None, seed=seed))}


@pytest.mark.parametrize("heads", [1, 3])
def test_each_camera_has_its_own_order_counts_and_frame_ids(heads):
    run = Cameras(
        {name: pictures(20, seed=seed) for seed, name in enumerate("abc")}, {"b": "late"}, heads=heads
    )
    assert run.to_end() == {name: list(range(20)) for name in "abc"}
    for name in "abc":
        by_cloud = run.count("frames_total", name, outcome="cloud")
        assert by_cloud == (0 if name == "b" else 20)
        assert run.count("frames_total", name, outcome="edge") == 20 - by_cloud
        assert run.count("fallbacks_total", name, reason="late") == 20 - by_cloud
        assert run.count("frame_latency_seconds_count", name) == 20
        assert run.count("camera_running", name) == run.count("source_up", name) == 0
        assert run.count("plan_info", name, split_point="relu", codec="float32") == 1
        assert len(run.uplink.asked[name]) == 20
    assert len({each.frame_id for each in run.records}) == 60
    assert not run.metrics.unseen


def test_flat_out_no_camera_is_faster_than_another():
    names = [f"camera-{number}" for number in range(4)]
    run = Cameras({name: pictures(None, seed=number) for number, name in enumerate(names)})

    async def go():
        task = asyncio.create_task(run.within())
        await until(lambda: len(run.records) >= 200)
        run.pipeline.stop()
        await task

    asyncio.run(go())
    counts = [len(found) for found in run.of().values()]
    assert min(counts) >= 0.9 * max(counts) - 1, counts
    for name, found in run.of().items():
        assert found == list(range(run.sources[name].given)), name


def test_a_camera_whose_frames_hang_holds_up_no_other():
    async def go():
        gate = asyncio.Event()
        run = Cameras({"hangs": pictures(12), "goes": pictures(30, seed=1)}, {"hangs": gate}, in_flight=3)
        task = asyncio.create_task(run.within())
        await until(lambda: len(run.of()["goes"]) == 30)
        assert run.of()["hangs"] == []
        assert run.uplink.under_way["hangs"] == 3, "its own slot, and the shared ones"
        gate.set()
        await task
        assert run.of() == {"hangs": list(range(12)), "goes": list(range(30))}
        assert run.uplink.most <= 3 + 1

    asyncio.run(go())


def test_an_idle_camera_leaves_all_but_its_own_slot_to_the_others():
    async def go():
        gate, more = asyncio.Event(), threading.Event()
        run = Cameras(
            {"idle": FakeSource([more], live=True), "busy": pictures(20)}, {"busy": gate}, in_flight=4
        )
        task = asyncio.create_task(run.within())
        await until(lambda: run.uplink.under_way["busy"] == 4)
        gate.set()
        await until(lambda: len(run.records) == 20)
        more.set()
        await task

    asyncio.run(go())


@pytest.mark.parametrize("error", [SourceError("gone"), ValueError("a bug"), MemoryError()])
def test_a_camera_that_breaks_down_is_named_at_the_end_and_the_others_are_complete(error, caplog):
    caplog.set_level(logging.INFO)
    run = Cameras({"a": pictures(20), "bad": [*pictures(3), error, *pictures(3)], "b": pictures(20, seed=1)})
    with pytest.raises(SourceError, match=r"^camera bad: (gone|fake: )") as caught:
        run.to_end()
    assert "\n" not in str(caught.value)
    assert run.of() == {"a": list(range(20)), "bad": list(range(3)), "b": list(range(20))}
    told = [each for each in caplog.records if each.levelno == logging.ERROR and "others go on" in each.msg]
    assert len(told) == 1


def test_pictures_that_no_step_can_take_fail_one_by_one():
    rubbish = [np.zeros((0, 0, 3), np.uint8), np.zeros((4, 4, 7), np.uint8)]
    run = Cameras({"a": pictures(10), "bad": rubbish})
    assert run.to_end() == {"a": list(range(10)), "bad": [0, 1]}
    assert {each.answered_by for each in run.records if each.camera == "bad"} == {"nobody"}
    assert run.count("frames_total", "bad", outcome="failed") == 2


def test_a_live_camera_drops_its_own_frames_and_no_recordings():
    async def go():
        gate = asyncio.Event()
        live = FakeSource(pictures(40), live=True)
        run = Cameras({"live": live, "clip": pictures(25, seed=1)}, {"live": gate}, in_flight=1)
        task = asyncio.create_task(run.within())
        await asyncio.to_thread(live.ended.wait, 10)
        await until(lambda: len(run.of()["clip"]) == 25)
        gate.set()
        await task
        return run

    run = asyncio.run(go())
    assert run.of()["clip"] == list(range(25))
    found, dropped = run.of()["live"], run.cameras["live"].dropped
    assert found == sorted(set(found))
    assert len(found) + dropped == 40
    assert run.count("frames_total", "live", outcome="dropped") == dropped > 0
    assert run.count("frames_total", "clip", outcome="dropped") == run.cameras["clip"].dropped == 0


def test_a_reader_that_hangs_does_not_keep_a_stopped_edge():
    async def go():
        never = threading.Event()
        run = Cameras({"hangs": FakeSource([*pictures(2), never], live=True)} | endless("clip", 1))
        task = asyncio.create_task(run.within())
        await until(lambda: len(run.of()["hangs"]) == 2 and len(run.of()["clip"]) > 5)
        run.pipeline.stop()
        await task
        never.set()
        assert run.of()["clip"] == list(range(run.sources["clip"].given))

    asyncio.run(go())


def test_each_cameras_still_frames_are_compared_with_its_own():
    """Both show the same, a moment later: neither repeats the other's answer."""
    scene, other = pictures(2)
    run = Cameras(
        {"a": [scene] * 6, "b": [other, *[scene] * 5]},
        codec="int8",
        in_flight=1,
        a={"still_threshold": 0.1},
        b={"still_threshold": 0.0},
    )
    run.to_end()
    by = {name: [each.answered_by for each in run.records if each.camera == name] for name in ("a", "b")}
    assert by == {"a": ["cloud", *["still"] * 5], "b": ["cloud"] * 6}
    assert {each.repeats for each in run.records if each.camera == "a"} == {None, 0}


def test_what_is_masked_never_leaves_and_the_deadline_is_the_cameras_own():
    whole, left = [[0, 0], [1, 0], [1, 1], [0, 1]], [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]
    bright = [np.full((SIDE, SIDE, 3), 200, np.uint8)] * 3
    run = Cameras(
        {"hidden": bright, "half": bright, "open": bright},
        split_point="input",
        codec="png",
        hidden={"masks": [whole], "deadline_s": 0.5},
        half={"masks": [left], "deadline_s": 1.0},
    )
    run.to_end()
    sent = {name: [decode_frame(each)[0] for each in run.uplink.asked[name]] for name in run.cameras}
    assert not any(each.any() for each in sent["hidden"])
    assert all(not each[:, : SIDE // 2].any() and (each[:, -1] == 200).all() for each in sent["half"])
    assert all((each == 200).all() for each in sent["open"])
    deadlines = {name: {each.deadline_ms for each in run.uplink.asked[name]} for name in run.cameras}
    assert deadlines == {"hidden": {500}, "half": {1000}, "open": {2000}}


def test_frames_beyond_a_cameras_rate_are_left_out_and_counted_as_such():
    shots = [Shot(picture, number, number / 10) for number, picture in enumerate(pictures(21))]
    run = Cameras({"slow": shots, "all": pictures(5)}, slow={"fps": 2.0})
    assert run.to_end() == {"slow": [0, 5, 10, 15, 20], "all": list(range(5))}
    assert run.count("frames_total", "slow", outcome="left_out") == run.cameras["slow"].left_out == 16
    assert run.count("frames_total", "slow", outcome="dropped") == 0
    assert [each.media_time_s for each in run.records if each.camera == "slow"] == [0, 0.5, 1, 1.5, 2]


def test_a_limit_of_frames_is_each_cameras_own():
    run = Cameras(endless("a", 0) | endless("b", 1), a={"frames": 3}, b={"frames": 7})
    assert run.to_end() == {"a": list(range(3)), "b": list(range(7))}


def test_a_source_is_closed_as_soon_as_its_camera_has_ended():
    async def go():
        run = Cameras({"short": pictures(3)} | endless("long", 1), long={"frames": 400})
        task = asyncio.create_task(run.within())
        await until(lambda: run.sources["short"].closed)
        assert not run.sources["long"].closed
        await task
        assert run.sources["long"].closed

    asyncio.run(go())


def test_damaged_frames_are_counted_for_their_camera():
    (picture,) = pictures(1)
    run = Cameras({"a": [Shot(picture, 0, damaged=True), Shot(picture, 1)], "b": [picture]})
    run.to_end()
    assert run.count("damaged_frames_total", "a") == 1
    assert run.count("damaged_frames_total", "b") == 0
    assert [each.damaged for each in run.records if each.camera == "a"] == [True, False]


def test_damaged_frames_beyond_a_cameras_rate_are_counted_too():
    """Else the share of what a camera sends damaged would be a fifth of the truth at one frame in five."""
    (picture,) = pictures(1)
    shots = [Shot(picture, number, number / 25, damaged=True) for number in range(10)]
    run = Cameras({"a": shots}, a={"fps": 5})
    run.to_end()
    assert run.count("damaged_frames_total", "a") == 10
    assert len(run.records) == 2


def test_a_sink_that_raises_ends_them_all():
    def sink(record):
        if record.frame >= 5:
            raise BrokenPipeError("the reader has gone")

    run = Cameras(endless("a", 0) | endless("b", 1), sinks=[sink])
    with pytest.raises(BrokenPipeError):
        run.to_end()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("capture")]
