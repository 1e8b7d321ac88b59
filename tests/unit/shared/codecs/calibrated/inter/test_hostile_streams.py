"""Frames that no encoder wrote, for a stream: a tensor or an error, and the stream goes on with the next keyframe."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kits.profiles import following_profile, stream

from shared.codecs.calibrated.inter.codec import CalibratedInter
from shared.errors import WireError

PROFILE = following_profile(signed=True)
SHAPE = PROFILE.shapes[0]
CODECS = [CalibratedInter(PROFILE, compiled=compiled) for compiled in (False, True)]
SENDER = CODECS[1].for_stream()
KEYFRAME, SECOND, THIRD = (SENDER.encode(tensor) for tensor in stream(SHAPE, 3, signed=True))

both = pytest.mark.parametrize("codec", CODECS, ids=["numpy", "compiled"])


def goes_on(codec, params, payload):
    """Whether the frame was taken."""
    receiver = codec.for_stream()
    receiver.decode(*KEYFRAME, SHAPE)
    taken = True
    try:
        found = receiver.decode(params, payload, SHAPE)
    except WireError:
        taken = False
        with pytest.raises(WireError):
            receiver.decode(*SECOND, SHAPE)
    else:
        assert (found.shape, found.dtype) == (SHAPE, np.float32)
        assert np.isfinite(found).all()
    receiver.decode(*KEYFRAME, SHAPE)
    receiver.decode(*SECOND, SHAPE)
    return taken


@both
@given(params=st.binary(max_size=24), payload=st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_bytes(codec, params, payload):
    goes_on(codec, params, payload)


@both
@given(payload=st.binary(max_size=400))
@settings(max_examples=100, deadline=None)
def test_any_payload_after_the_right_frame(codec, payload):
    goes_on(codec, SECOND.params, payload)


@both
@given(position=st.integers(0, 2**16), mask=st.integers(1, 255))
@settings(max_examples=100, deadline=None)
def test_a_damaged_payload(codec, position, mask):
    payload = bytearray(SECOND.payload)
    payload[position % len(payload)] ^= mask
    goes_on(codec, SECOND.params, bytes(payload))


@both
def test_only_the_next_frame_is_taken(codec):
    assert goes_on(codec, *SECOND)
    assert not goes_on(codec, *THIRD)
    assert not goes_on(codec, SECOND.params[:16] + THIRD.params[16:], SECOND.payload)
    assert not goes_on(codec, *SECOND[:1], SECOND.payload + bytes(4))
