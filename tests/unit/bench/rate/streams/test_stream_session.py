"""A session takes a codec at its word only where it can be checked."""

import zlib

import numpy as np
import pytest
from kits.bundles import tiny

from bench.rate.streams.session import Session, StreamError
from shared.codecs import make_codec
from shared.codecs.base import Codec, Encoded
from shared.errors import StateMissingError
from shared.network.partition import INPUT

NONE = bytes(4)


class Differences(Codec):
    """Sends the difference to the frame before, and every third frame whole."""

    id, name, carries, inter = 200, "differences", "picture", True
    every = 3

    def __init__(self):
        self.before, self.state, self.number = None, NONE, 0

    def for_stream(self):
        return type(self)()

    def needs(self, params):
        return b"" if params == NONE else params

    def encode(self, array):
        whole = self.number % self.every == 0
        params = NONE if whole else self.state
        sent = array if whole else array - self.before
        self.number += 1
        self._now(array)
        return Encoded(params, sent.tobytes())

    def decode(self, params, payload, shape):
        sent = np.frombuffer(payload, np.uint8).reshape(shape)
        if params != NONE:
            self.refuse(params)
            sent = sent + self.before
        self._now(sent)
        return sent

    def refuse(self, params):
        if params != self.state:
            raise StateMissingError("another state")

    def _now(self, array):
        self.before, self.state = array, zlib.crc32(array.tobytes()).to_bytes(4, "little")


class Shared(Differences):
    def for_stream(self):
        return self


class NoKeyframe(Differences):
    """Calls each frame a keyframe, and decodes it with the frame before it."""

    def encode(self, array):
        return Encoded(NONE, super().encode(array).payload)

    def decode(self, params, payload, shape):
        before = np.zeros(shape, np.uint8) if self.number % self.every == 0 else self.before
        self.number += 1
        self.before = np.frombuffer(payload, np.uint8).reshape(shape) + before
        return self.before


class Guesses(Differences):
    """Decodes what it has no state for."""

    def refuse(self, params):
        if self.before is None:
            self.before = np.uint8(0)


class NoFirst(Differences):
    """Begins with a frame that needs one."""

    def encode(self, array):
        return Encoded(b"abcd", super().encode(array).payload)

    def refuse(self, params):
        if self.before is None:
            self.before = np.uint8(0)


@pytest.fixture
def pictures():
    rng = np.random.default_rng(2)
    return [rng.integers(0, 256, tiny().model.recipe.picture_shape).astype(np.uint8) for _ in range(7)]


def sent(codec, pictures):
    session = Session(codec, type(codec)() if isinstance(codec, Differences) else codec, INPUT, tiny().model)
    return [session.send(picture) for picture in pictures]


def test_frames_arrive_in_order_and_keyframes_are_told_apart(pictures):
    found = sent(Differences(), pictures)
    assert [each.keyframe for each in found] == [True, False, False, True, False, False, True]
    for picture, each in zip(pictures, found, strict=True):
        assert (each.tensor[0] == tiny().model.recipe.normalise(picture)).all()
    headers = [each.bytes - pictures[0].nbytes for each in found]
    assert headers[0] > headers[3], "what is constant travels once"
    assert 0 < max(headers[2:]) < 20


def test_every_frame_of_a_plain_codec_stands_alone(pictures):
    assert all(each.keyframe for each in sent(make_codec("png"), pictures))


@pytest.mark.parametrize(
    ("codec", "wrong"),
    [
        (Shared, "one object"),
        (NoKeyframe, "keyframe 1 decodes otherwise"),
        (Guesses, "frame 1 is decoded without the state"),
        (NoFirst, "the first frame needs another"),
    ],
)
def test_a_codec_that_lies_about_its_state_is_not_measured(codec, wrong, pictures):
    with pytest.raises(StreamError, match=wrong):
        sent(codec(), pictures)
