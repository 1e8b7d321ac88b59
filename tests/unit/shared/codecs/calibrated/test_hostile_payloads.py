"""Payloads that no encoder wrote: a tensor or an error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kits.naming import naming
from kits.profiles import features, make_profile

from shared.codecs.calibrated.codec import Calibrated
from shared.errors import ContentError, WireError

PROFILE = make_profile()
CODEC = Calibrated(PROFILE)
PAYLOADS = [CODEC.encode(features(PROFILE.shapes[0], 1, seed=seed)[0]).payload for seed in range(8)]


def tensor_or_content_error(payload: bytes) -> None:
    try:
        decoded = CODEC.decode(PROFILE.digest, payload, PROFILE.shapes[0])
    except ContentError:
        return
    assert decoded.shape == PROFILE.shapes[0]
    assert np.isfinite(decoded).all()


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_a_tensor_or_an_error(payload):
    tensor_or_content_error(payload)


@given(st.integers(0, 7), st.integers(0, 2**16), st.integers(1, 255))
@settings(max_examples=200, deadline=None)
def test_a_damaged_payload_gives_a_tensor_or_an_error(seed, position, mask):
    payload = bytearray(PAYLOADS[seed])
    payload[position % len(payload)] ^= mask
    tensor_or_content_error(bytes(payload))


def test_a_shorter_or_longer_payload_is_refused():
    payload = PAYLOADS[0]
    for cut in (1, 3, 4, 8):
        for hostile in (payload[:-cut], payload + bytes([1] * cut)):
            with naming(cut, len(hostile)), pytest.raises(WireError):
                CODEC.decode(PROFILE.digest, hostile, PROFILE.shapes[0])
    with pytest.raises(ContentError):
        CODEC.decode(PROFILE.digest, payload + bytes(4), PROFILE.shapes[0])
