"""A video from the network is decoded in a process of its own, and what becomes of that process touches no other."""

from __future__ import annotations

import asyncio
import contextlib
import signal

import numpy as np
import pytest
from kits.codecs import VIDEO_CODECS, name_of
from kits.videos import NONE, Room, encoded, moving, run, take

from shared.codecs import NAMES
from shared.codecs.base import Encoded
from shared.errors import CodecError, ContentError, RequestError, StateMissingError, UnavailableError
from shared.limits import MAX_CLIENT_VIDEO_STREAMS

pytestmark = pytest.mark.slow
H264 = NAMES["h264"]
PICTURES = moving(4)
FRAMES = encoded("h264", PICTURES)
SHAPE = PICTURES[0].shape


async def refused(kind: type[RequestError], stream, frame=FRAMES[0], shape=SHAPE, codec=H264) -> str:
    with pytest.raises(kind) as refusal:
        await take(stream, codec, frame, shape)
    return str(refusal.value)


def kill(stream) -> None:
    signal.pidfd_send_signal(stream._process._handle, signal.SIGKILL)


@pytest.mark.parametrize("codec", VIDEO_CODECS, ids=name_of)
def test_the_pictures_are_those_that_the_edges_own_decoder_gives(codec) -> None:
    async def check(room: Room) -> None:
        for size in ((48, 64), (33, 51), (240, 320)):
            stream, here = room.open(), codec.for_stream()
            pictures = moving(3, *size)
            for frame in encoded(codec.name, pictures):
                found = await take(stream, codec, frame, pictures[0].shape)
                np.testing.assert_array_equal(found, here.decode(*frame, pictures[0].shape))
            assert len(stream.account.spent) == 3
            stream.close()
        assert room.streams() == 0

    run(check)


def test_a_process_that_dies_costs_its_stream_a_keyframe_and_no_other_one_anything(caplog) -> None:
    async def check(room: Room) -> None:
        stream, other = room.open(), room.open("berta")
        for each in (stream, other):
            await take(each, H264, FRAMES[0], SHAPE)
        kill(stream)
        assert "must be a keyframe" in await refused(ContentError, stream, FRAMES[1])
        assert stream.account.spent[-1] > 0, "what it took is nobody's"
        await refused(StateMissingError, stream, FRAMES[2])
        for frame in FRAMES[1:3]:
            await take(other, H264, frame, SHAPE)
        for frame in FRAMES[:2]:
            await take(stream, H264, frame, SHAPE)
        assert (room.lost("died"), room.streams()) == (1, 2)

    run(check)
    (line,) = [record.getMessage() for record in caplog.records if "failed" in record.getMessage()]
    assert "client anna" in line


def test_a_frame_that_needs_another_state_leaves_none() -> None:
    async def check(room: Room) -> None:
        stream = room.open()
        await refused(StateMissingError, stream, FRAMES[1])
        await take(stream, H264, FRAMES[0], SHAPE)
        await refused(StateMissingError, stream, FRAMES[2])
        await refused(StateMissingError, stream, FRAMES[1])
        await take(stream, H264, FRAMES[0], SHAPE)
        assert room.streams() == 1

    run(check)


def test_what_lies_about_its_size_or_is_damaged_is_refused() -> None:
    async def check(room: Room) -> None:
        stream = room.open()
        for shape in ((60000, 60000, 3), (46, 64, 3), (2000, 2500, 3)):
            await refused(ContentError, stream, shape=shape)
        assert room.streams() == 0
        assert len(stream.account.spent) == 2, (
            "its own process reads what is in a payload, and its client pays"
        )
        damaged = bytearray(FRAMES[0].payload)
        damaged[-40:] = bytes(range(100, 140))
        await refused(ContentError, stream, Encoded(NONE, bytes(damaged)))
        await refused(CodecError, stream, codec=NAMES["raw"])
        await take(stream, H264, FRAMES[0], SHAPE)

    run(check)


def test_another_size_has_a_process_of_its_own() -> None:
    async def check(room: Room) -> None:
        stream, small = room.open(), moving(2, 32, 32)
        await take(stream, H264, FRAMES[0], SHAPE)
        first = stream._process
        frames = encoded("h264", small)
        for frame in frames:
            await take(stream, H264, frame, small[0].shape)
        assert stream._process is not first
        assert room.streams() == 1

    run(check)


def test_where_there_are_too_many_the_oldest_of_who_has_most_makes_room() -> None:
    async def check(room: Room) -> None:
        mine = [room.open() for _ in range(3)]
        for stream in mine:
            await take(stream, H264, FRAMES[0], SHAPE)
        other = room.open("berta")
        await take(other, H264, FRAMES[0], SHAPE)
        assert (room.streams(), room.lost("displaced")) == (3, 1)
        await take(other, H264, FRAMES[1], SHAPE)
        await take(mine[1], H264, FRAMES[1], SHAPE)
        await refused(StateMissingError, mine[0], FRAMES[1])

    run(check, most=3)


def test_one_client_has_its_share_at_most() -> None:
    async def check(room: Room) -> None:
        for _ in range(MAX_CLIENT_VIDEO_STREAMS + 2):
            await take(room.open(), H264, FRAMES[0], SHAPE)
        assert room.streams() == MAX_CLIENT_VIDEO_STREAMS

    run(check, most=2 * MAX_CLIENT_VIDEO_STREAMS)


def test_a_video_without_pictures_is_let_go() -> None:
    async def check(room: Room) -> None:
        stream = room.open()
        await take(stream, H264, FRAMES[0], SHAPE)
        async with asyncio.timeout(60):
            while room.streams():
                await asyncio.sleep(0.01)
        assert room.lost("idle") == 1
        await refused(StateMissingError, stream, FRAMES[1])
        await take(stream, H264, FRAMES[0], SHAPE)

    run(check, idle_s=0.05)


def test_a_cloud_that_decodes_none_says_so() -> None:
    async def check(room: Room) -> None:
        assert "--video-streams" in await refused(CodecError, room.open())

    run(check, most=0)


def test_what_starts_them_may_die() -> None:
    async def check(room: Room) -> None:
        stream = room.open()
        await take(stream, H264, FRAMES[0], SHAPE)
        room.decoders._nursery._process.kill()
        await take(stream, H264, FRAMES[1], SHAPE)
        for _ in range(2):
            await take(room.open(), H264, FRAMES[0], SHAPE)

    run(check)


def test_the_end_refuses_what_is_under_way() -> None:
    async def check(room: Room) -> None:
        stream = room.open()
        await take(stream, H264, FRAMES[0], SHAPE)
        signal.pidfd_send_signal(stream._process._handle, signal.SIGSTOP)
        waiting = asyncio.ensure_future(take(stream, H264, FRAMES[1], SHAPE))
        while not stream.is_busy:
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        room.decoders.stop()
        with pytest.raises(UnavailableError, match="closed"):
            await waiting

    run(check)


def test_who_gives_up_loses_the_state_only() -> None:
    async def check(room: Room) -> None:
        stream = room.open()
        waiting = asyncio.ensure_future(take(stream, H264, FRAMES[0], SHAPE))
        await asyncio.sleep(0.01)  # while the first process starts
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        await take(stream, H264, FRAMES[0], SHAPE)
        await take(stream, H264, FRAMES[1], SHAPE)
        assert room.streams() == 1

    run(check)
