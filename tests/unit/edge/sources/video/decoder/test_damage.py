"""Damaged packets: skipped and counted, what may rest on them is marked, and the rest is read."""

from __future__ import annotations

from contextlib import closing

import av
import numpy as np
import pytest
from kits.ffmpeg import drawn

from edge.sources.files.paths import recording
from edge.sources.video.container import Video

FRAMES = 50
GROUP = 10  # frames from one key frame to the next


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damage")

    def make(name, *arguments):
        path = folder / name
        if not path.exists():
            drawn(path, "-pix_fmt", "yuv420p", *arguments, of="testsrc=size=160x120:rate=25:duration=2")
        return path

    return make


def damaged(path, packet, spoil):
    """A copy of the file, in which `spoil` changed the bytes of one packet, counted from 0 in the order of decoding."""
    with av.open(str(path)) as container:
        packets = [bytes(each) for each in container.demux(video=0) if each.size]
    data = path.read_bytes()
    body = packets[packet]
    assert data.count(body) == 1
    copy = path.with_name(f"damaged-{path.name}")
    copy.write_bytes(data.replace(body, spoil(body)))
    return copy


def zeros(body):
    return bytes(len(body))


def half(body):
    return body[: len(body) // 2] + bytes(len(body) - len(body) // 2)


def noise(body):
    changed = np.frombuffer(body, np.uint8).copy()
    changed[12::50] ^= 0x55
    return changed.tobytes()


def read(path, **options):
    lost = []
    video = Video(str(path), name=path.name, on_undecodable=lambda: lost.append(1), **options)
    video.open()
    with closing(video):
        return {shot.number: shot for shot in iter(video.read, None)}, len(lost)


def is_wrong(shot, good):
    return (np.abs(shot.picture.astype(int) - good.picture).max(2) > 24).mean() > 0.01


H264 = ("-c:v", "libx264", "-g", str(GROUP), "-sc_threshold", "0")


def test_a_packet_that_is_lost_costs_one_picture(clip, caplog):
    cases = {
        "h264.mp4": (*H264, "-bf", "0"),
        "asp.avi": ("-c:v", "mpeg4", "-g", str(GROUP), "-bf", "0"),
        "vp8.webm": ("-c:v", "libvpx", "-g", str(GROUP), "-b:v", "300k"),
    }
    for name, arguments in cases.items():
        caplog.clear()
        shots, lost = read(damaged(clip(name, *arguments), 24, zeros))
        assert sorted(set(range(FRAMES)) - set(shots)) == [24], name
        assert lost == 1, name
        assert [number for number, shot in shots.items() if shot.damaged] == list(range(25, 30)), name
        lines = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
        assert len(lines) == 1, name
        assert "1 so far" in lines[0], name


def test_every_picture_that_is_wrong_is_marked(clip):
    cases = {
        "h264.mkv": (*H264, "-bf", "2"),
        "h264.ts": (*H264, "-bf", "2"),
        "asp2.avi": ("-c:v", "mpeg4", "-g", str(GROUP), "-bf", "0", "-q:v", "3"),
        "mpeg2.ts": ("-c:v", "mpeg2video", "-g", str(GROUP), "-bf", "2", "-q:v", "3"),
        "h263.3gp": ("-c:v", "h263", "-s", "176x144", "-g", str(GROUP)),
    }
    for name, arguments in cases.items():
        path = clip(name, *arguments)
        good, _ = read(path)
        for packet in (20, 24):  # the first of them a key frame
            for spoil in (half, noise):
                try:
                    shots, _ = read(damaged(path, packet, spoil))
                except AssertionError:
                    continue  # a transport stream cuts its packets up
                wrong = [number for number, shot in shots.items() if is_wrong(shot, good[number])]
                silent = [number for number in wrong if not shots[number].damaged]
                assert not silent, (name, packet, spoil.__name__)
                assert not any(shots[number].damaged for number in (0, 10, 35, 49)), (
                    name,
                    packet,
                    spoil.__name__,
                )


def test_one_damaged_picture_of_its_own_harms_no_other(clip):
    path = clip("jpegs.avi", "-c:v", "mjpeg", "-q:v", "4")
    shots, lost = read(damaged(path, 24, lambda body: body[:2] + bytes(len(body) - 4) + body[-2:]))
    assert lost == 1
    assert sorted(set(range(FRAMES)) - set(shots)) == [24]
    assert not any(shot.damaged for shot in shots.values())


def test_a_picture_of_its_own_that_is_cut_off_is_marked(clip):
    path = clip("cut.avi", "-c:v", "mjpeg", "-q:v", "4")
    shots, lost = read(damaged(path, 24, half))
    assert (len(shots), lost) == (FRAMES, 0)
    assert [number for number, shot in shots.items() if shot.damaged] == [24]


def test_jpegs_one_after_another_are_a_video(clip):
    source = recording(str(clip("alone.mjpeg", "-c:v", "mjpeg")))
    source.open()
    with closing(source):
        assert len(list(iter(source.read, None))) == FRAMES


def test_a_lost_key_frame_costs_its_group_at_most(clip):
    shots, lost = read(damaged(clip("h264.mp4", *H264, "-bf", "0"), 20, zeros))
    missing = sorted(set(range(FRAMES)) - set(shots))
    assert lost == len(missing)
    assert set(missing) <= set(range(20, 30))
    assert 20 in missing
    assert all(shots[number].damaged for number in range(20, 30) if number in shots)


def test_a_stream_that_is_joined_in_the_middle(clip, tmp_path, caplog):
    data = clip("joined.ts", *H264, "-bf", "2").read_bytes()
    middle = tmp_path / "middle.ts"
    middle.write_bytes(data[len(data) // 188 // 3 * 188 :])
    recorded, lost = read(middle)
    assert lost > 0, "of a recording, nothing may be left out without a word"
    assert not recorded[min(recorded)].damaged
    caplog.clear()
    live, lost = read(middle, live=True)
    assert lost == 0
    assert min(live) == 0
    assert len(live) == len(recorded)
    assert not caplog.records


def test_the_log_does_not_grow_with_the_damage(clip, caplog):
    path = clip("many.avi", "-c:v", "mjpeg", "-q:v", "4")
    with av.open(str(path)) as container:
        packets = [bytes(each) for each in container.demux(video=0) if each.size]
    data = path.read_bytes()
    for body in packets[1::2]:
        data = data.replace(body, zeros(body))
    spoiled = path.with_name("spoiled.avi")
    spoiled.write_bytes(data)
    _, lost = read(spoiled)
    assert lost == FRAMES // 2
    assert len(caplog.records) == 5, "at 1, 2, 4, 8 and 16"


def test_ffmpeg_prints_nothing(clip, capfd):
    read(damaged(clip("h264.mp4", *H264, "-bf", "0"), 24, noise))
    captured = capfd.readouterr()
    assert not captured.out
    assert not captured.err
