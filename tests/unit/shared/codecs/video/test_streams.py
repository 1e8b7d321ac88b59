"""A video's pictures come back in order, and every frame says what it needs."""

from __future__ import annotations

import itertools
import threading
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits.codecs import VIDEO_CODECS, name_of
from kits.videos import NONE, encoded, is_near, moving

from shared.codecs import NAMES, make_codec
from shared.errors import ContentError, StateMissingError, WireError

if TYPE_CHECKING:
    from shared.codecs.base import Encoded

every_codec = pytest.mark.parametrize("codec", VIDEO_CODECS, ids=name_of)


def kinds(frames: list[Encoded]) -> str:
    """`K` for each keyframe, `p` for each other one."""
    return "".join("K" if frame.params == NONE else "p" for frame in frames)


@every_codec
@pytest.mark.parametrize("size", [(48, 64), (1, 1), (15, 17), (33, 51), (25, 200), (224, 224)], ids=str)
def test_pictures_of_any_size_come_back(codec, size) -> None:
    pictures = moving(3, *size)
    frames, reader = encoded(codec.name, pictures), codec.for_stream()
    for picture, frame in zip(pictures, frames, strict=True):
        found = reader.decode(frame.params, memoryview(frame.payload), picture.shape)
        assert found.dtype == np.uint8
        assert is_near(found, picture) or size == (1, 1)
    assert kinds(frames) == "Kpp"


@every_codec
def test_a_state_is_known_by_the_checksum_of_all_payloads_since_the_keyframe(codec) -> None:
    frames = encoded(codec.name, moving(4))
    state = 0
    for frame, following in itertools.pairwise(frames):
        state = zlib.crc32(frame.payload, state)
        assert following.params == state.to_bytes(4, "little")
        assert codec.needs(following.params) == following.params
    assert codec.needs(frames[0].params) == b""
    assert encoded(codec.name, moving(4)) == frames, "an encoder gives other bytes each time"


@every_codec
def test_a_keyframe_that_is_wanted_at_any_moment_comes(codec) -> None:
    stream, pictures = codec.for_stream(), moving(4)
    frames = [stream.encode(pictures[0])]

    class Late(threading.Event):
        """Set by another thread right after it was looked at."""

        def is_set(self) -> bool:
            found = super().is_set()
            if not found and len(frames) == 1:
                self.set()
            return found

    stream._forget = Late()
    frames += [stream.encode(pictures[1])]
    frames += [stream.encode(picture) for picture in pictures[2:]]
    assert kinds(frames) == "KpKp"


@every_codec
def test_a_lost_frame_costs_a_keyframe_and_no_wrong_picture(codec) -> None:
    pictures = moving(6)
    stream, reader = codec.for_stream(), codec.for_stream()
    first, _, third = (stream.encode(picture) for picture in pictures[:3])
    shape = pictures[0].shape
    reader.decode(*first, shape)
    with pytest.raises(StateMissingError, match="keyframe") as refusal:
        reader.decode(*third, shape)
    assert (refusal.value.status, refusal.value.reason) == (424, "state_missing")
    fourth = stream.encode(pictures[3])
    with pytest.raises(StateMissingError):
        reader.decode(*fourth, shape)
    stream.forget()
    fifth, sixth = stream.encode(pictures[4]), stream.encode(pictures[5])
    assert kinds([fourth, fifth, sixth]) == "pKp"
    assert is_near(reader.decode(*fifth, shape), pictures[4])
    assert is_near(reader.decode(*sixth, shape), pictures[5])


@every_codec
def test_a_frame_that_comes_twice_is_not_decoded_twice(codec) -> None:
    first, second = encoded(codec.name, moving(2))
    reader = codec.for_stream()
    reader.decode(*first, (48, 64, 3))
    reader.decode(*second, (48, 64, 3))
    with pytest.raises(StateMissingError):
        reader.decode(*second, (48, 64, 3))


@every_codec
def test_after_a_keyframe_nothing_before_it_matters(codec) -> None:
    stream, pictures = codec.for_stream(), moving(5)
    frames = []
    for number, picture in enumerate(pictures):
        if number == 2:
            stream.forget()
        frames.append(stream.encode(picture))
    whole, late = codec.for_stream(), codec.for_stream()
    found = [whole.decode(*frame, pictures[0].shape) for frame in frames]
    for frame, expected in zip(frames[2:], found[2:], strict=True):
        np.testing.assert_array_equal(late.decode(*frame, pictures[0].shape), expected)


def test_keyframes_come_at_the_interval() -> None:
    stream = make_codec("h264:interval=3").for_stream()
    assert kinds([stream.encode(picture) for picture in moving(8)]) == "KppKppKp"
    stream = make_codec("h264:interval=1").for_stream()
    assert kinds([stream.encode(picture) for picture in moving(3)]) == "KKK"


@every_codec
def test_another_size_begins_with_a_keyframe(codec) -> None:
    stream, reader = codec.for_stream(), codec.for_stream()
    pictures = [*moving(2), *moving(2, 30, 40), *moving(1)]
    frames = [stream.encode(picture) for picture in pictures]
    assert kinds(frames) == "KpKpK"
    for frame, picture in zip(frames, pictures, strict=True):
        assert is_near(reader.decode(*frame, picture.shape), picture)


@every_codec
def test_outside_of_a_stream_each_frame_is_a_keyframe(codec) -> None:
    pictures = moving(2)
    for picture in pictures:
        frame = codec.encode(picture)
        assert frame.params == NONE
        assert is_near(codec.decode(*frame, picture.shape), picture)
    with pytest.raises(StateMissingError):
        codec.decode(*encoded(codec.name, pictures)[1], pictures[0].shape)


def test_streams_are_apart() -> None:
    codec, pictures = NAMES["h264"], moving(3)
    one, other = codec.for_stream(), codec.for_stream()
    assert one is not other
    assert kinds([one.encode(pictures[0]), other.encode(pictures[0]), one.encode(pictures[1])]) == "KKp"


def test_a_good_picture_takes_more_bytes() -> None:
    for name, (good, bad) in {"h264": (15, 40), "h265": (15, 40), "av1": (20, 60)}.items():
        sizes = [
            sum(len(stream.encode(picture).payload) for picture in moving(4))
            for stream in (make_codec(f"{name}:quality={quality}").for_stream() for quality in (good, bad))
        ]
        assert sizes[0] > 1.5 * sizes[1], name


@every_codec
def test_what_is_no_picture_is_refused(codec) -> None:
    for shape in ((8, 8, 1), (8, 8), (3000, 2000, 3)):
        with pytest.raises(ContentError, match=codec.name):
            codec.for_stream().encode(np.zeros(shape, np.uint8))
    frame = codec.encode(moving(1)[0])
    for params in (b"", b"\0", bytes(5)):
        with pytest.raises(ContentError, match="4 bytes"):
            codec.decode(params, frame.payload, (48, 64, 3))


@every_codec
def test_a_stream_that_failed_begins_again(codec) -> None:
    stream, reader, (one, two) = codec.for_stream(), codec.for_stream(), moving(2)
    first = stream.encode(one)
    reader.decode(*first, one.shape)
    with pytest.raises(ContentError):
        stream.encode(np.zeros((4, 4, 1), np.uint8))
    second = stream.encode(two)
    assert second.params == NONE
    with pytest.raises(WireError):
        reader.decode(NONE, second.payload[:20], two.shape)
    assert is_near(reader.decode(*second, two.shape), two)
