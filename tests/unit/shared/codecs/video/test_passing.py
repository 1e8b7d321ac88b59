"""A camera's own packets travel where they are offered, whole, and in a row; everything else is encoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits.recordings import COUNT, EVERY, LOW_DELAY, recorded
from kits.videos import NONE, is_near, moving

from shared.codecs import make_codec
from shared.codecs.video.bits import joined, units
from shared.codecs.video.passing import Own, annexb, passes_on
from shared.errors import ContentError

if TYPE_CHECKING:
    from pathlib import Path

    from edge.sources.base import Shot
    from shared.codecs.base import Encoded


def sent(stream, shots: list[Shot]) -> list[Encoded]:
    found = []
    for shot in shots:
        stream.offer(shot.own)
        found.append(stream.encode(np.ascontiguousarray(shot.picture[:, :, ::-1])))
    return found


def passed(frames: list[Encoded], shots: list[Shot]) -> str:
    """For each frame whether it is a keyframe (upper case), and whether it is the camera's (`c`) or encoded here (`e`)."""
    told = ""
    for frame, shot in zip(frames, shots, strict=True):
        mark = "e"
        if shot.own:
            whole, _ = annexb(shot.own)
            mark = "c" if frame.payload and whole.endswith(frame.payload[-20:]) else "e"
        told += mark.upper() if frame.params == NONE else mark
    return told


@pytest.fixture(scope="module", params=["h264.mp4", "h264.ts", "h264.mkv", "h265.mp4", "h265.ts", "h265.mkv"])
def camera(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, list[Shot]]:
    name = request.param.partition(".")[0]
    return name, recorded(tmp_path_factory.mktemp("camera") / request.param, name, LOW_DELAY[name])


def test_the_cameras_packets_travel_and_give_its_pictures(camera) -> None:
    name, shots = camera
    codec = make_codec(f"{name}:passthrough=1")
    stream, reader = codec.for_stream(), codec.for_stream()
    frames = sent(stream, shots)
    assert passed(frames, shots) == "CccccCccccCc"
    for frame, shot in zip(frames, shots, strict=True):
        found = reader.decode(*frame, shot.picture.shape)
        assert is_near(found[:, :, ::-1], shot.picture)


def test_a_gap_and_a_keyframe_that_is_wanted_are_bridged_by_the_encoder(camera) -> None:
    name, shots = camera
    codec = make_codec(f"{name}:passthrough=1")
    stream, reader = codec.for_stream(), codec.for_stream()
    kept = [shot for number, shot in enumerate(shots) if number != 2]
    frames = sent(stream, kept[:6])
    stream.forget()
    frames += sent(stream, kept[6:])
    assert passed(frames, kept) == "CcEeCcEeeCc"
    for frame, shot in zip(frames, kept, strict=True):
        assert is_near(reader.decode(*frame, shot.picture.shape)[:, :, ::-1], shot.picture)


def test_without_the_option_and_without_packets_nothing_passes(camera) -> None:
    name, shots = camera
    assert passed(sent(make_codec(name).for_stream(), shots), shots) == "E" + "e" * (COUNT - 1)
    other = make_codec(f"{'h264' if name == 'h265' else 'h265'}:passthrough=1").for_stream()
    assert passed(sent(other, shots), shots) == "E" + "e" * (COUNT - 1)
    bare = [type(shot)(shot.picture, shot.number) for shot in shots]
    assert passed(sent(make_codec(f"{name}:passthrough=1").for_stream(), bare), bare) == "E" + "e" * (
        COUNT - 1
    )


def test_packets_of_another_connection_do_not_follow(camera) -> None:
    name, shots = camera
    stream = make_codec(f"{name}:passthrough=1").for_stream()
    first = sent(stream, shots[:2])
    own = shots[2].own
    again = Own(own.kind, object(), own.number, own.packet, own.extradata)
    stream.offer(again)
    first.append(stream.encode(np.ascontiguousarray(shots[2].picture[:, :, ::-1])))
    assert [frame.params == NONE for frame in first] == [True, False, True]


def test_pictures_that_are_reordered_do_not_pass(tmp_path: Path) -> None:
    shots = recorded(
        tmp_path / "b.mp4",
        "h264",
        {"x264-params": f"keyint={EVERY}:bframes=2:b-adapt=0:scenecut=0"},
        frames=2,
    )
    frames = sent(make_codec("h264:passthrough=1").for_stream(), shots)
    assert "c" not in passed(frames, shots)
    assert "C" not in passed(frames, shots)


def test_a_picture_of_another_shape_than_its_packet_is_encoded(tmp_path: Path, caplog) -> None:
    (shot, second, *_) = recorded(tmp_path / "a.mp4", "h264", LOW_DELAY["h264"])
    stream = make_codec("h264:passthrough=1").for_stream()
    for each in (shot, second):
        stream.offer(each.own)
        frame = stream.encode(np.ascontiguousarray(each.picture[:64, :64]))
        assert frame.params == NONE or each is second
    assert len([record for record in caplog.records if "do not travel" in record.getMessage()]) == 1


def test_headers_that_are_told_once_go_before_each_keyframe() -> None:
    """As of a camera over RTSP, whose description has them."""
    for name, picture in {"h264": 5, "h265": 20}.items():
        payload = make_codec(name).encode(moving(1)[0]).payload
        kinds = {unit: unit[0] & 31 if name == "h264" else unit[0] >> 1 for unit in units(payload, name)}
        (slice_of,) = (unit for unit, kind in kinds.items() if kind in (picture, 19))
        before = joined([unit for unit in kinds if unit != slice_of])
        found = annexb(Own(name, None, 0, lambda whole=slice_of: joined([whole]), before))
        assert found == (payload, True), name


def test_headers_that_are_told_in_part_are_completed_by_what_was_told_before() -> None:
    for name in ("h264", "h265"):
        payload, other = (
            make_codec(name).encode(moving(1, *size)[0]).payload for size in ((48, 64), (64, 48))
        )
        *heads, picture = units(payload, name)
        before = joined(heads)

        def packet_of(*found: bytes, name: str = name, before: bytes = before) -> Own:
            return Own(name, None, 0, lambda: joined([*found]), before)

        for number in range(len(heads)):
            some = heads[:number] + heads[number + 1 :]
            assert annexb(packet_of(*some, picture)) == (payload, True), (name, number)
            assert annexb(packet_of(heads[number], picture)) == (payload, True), (name, number)
        sequence = units(other, name)[-3]
        with pytest.raises(ContentError, match="other headers than it told before"):
            annexb(packet_of(sequence, picture))
        whole = units(other, name)
        assert annexb(packet_of(*whole)) == (other, True), "it tells all, whatever it told before"


def test_damaged_headers_are_refused() -> None:
    good = b"\0\0\0\2\x65\x88"
    for extradata, packet in (
        (b"\1", good),
        (b"\1\x64\0\x1e\xff\xe1\0\x09\x67", good),
        (b"\1\x64\0\x1e\xff\xe0\0", b"\0\0\0\x09\x65\x88"),
        (b"\1\x64\0\x1e\xff\xe0\0", b"\0\0\0\0"),
        (b"", b"no start code"),
    ):
        with pytest.raises(ContentError):
            annexb(Own("h264", None, 0, lambda packet=packet: packet, extradata))


def test_how_it_is_written() -> None:
    for spec in (
        "h264:passthrough=1",
        "h265:quality=20,passthrough=1",
        "h264:passthrough=01,interval=9",
        "h264:passthrough=+1",
    ):
        assert passes_on(spec), spec
    for spec in (
        None,
        "",
        "h264",
        "h264:passthrough=0",
        "h264:passthrough=0.0",
        "h264:passthrough=2",
        "jpeg:quality=90",
        "auto",
    ):
        assert not passes_on(spec), spec
    assert make_codec("h264:passthrough=1").options() == {"quality": 23, "interval": 50, "passthrough": 1}
    assert "passthrough" not in make_codec("av1").options()
