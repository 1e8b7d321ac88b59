"""A profile on its way: packed or not, how long that may take, and what is not unpacked."""

from __future__ import annotations

import os

import pytest
import zstandard

from shared.codecs.zstd import pack_profile, unpack_profile
from shared.errors import LimitError, MediaTypeError, ProfileContentError
from shared.wire.http import encoding_of
from shared.wire.profile import ENCODINGS, transfer_s

FILE = os.urandom(2000) + bytes(3000)


def test_a_file_is_packed_and_comes_out_alike() -> None:
    packed, encoding = pack_profile(FILE)
    assert encoding == "zstd"
    assert len(packed) < 2100
    assert unpack_profile(packed, len(FILE)) == FILE


@pytest.mark.parametrize("file", [os.urandom(500), bytes(100_000)], ids=["random", "zeros"])
def test_what_packing_does_not_help_or_helps_beyond_belief_goes_as_it_is(file: bytes) -> None:
    assert pack_profile(file) == (file, "identity")


def test_more_than_is_allowed_is_refused_before_it_is_unpacked() -> None:
    packed, _ = pack_profile(FILE)
    with pytest.raises(LimitError, match="5000 bytes") as caught:
        unpack_profile(packed, len(FILE) - 1)
    assert caught.value.accepted == {"max_bytes": 4999}
    bomb = zstandard.compress(bytes(1 << 20))
    with pytest.raises(LimitError) as caught:
        unpack_profile(bomb, 32 << 20)
    assert caught.value.accepted == {"max_bytes": 4 * len(bomb)}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no Zstandard",
        pack_profile(FILE)[0][:-1],
        pack_profile(FILE)[0] + b"x",
        zstandard.ZstdCompressor(write_content_size=False).compress(FILE),
    ],
    ids=["nothing", "other", "cut", "more", "no length"],
)
def test_what_is_no_packed_profile_is_refused(data: bytes) -> None:
    with pytest.raises(ProfileContentError, match="packed profile"):
        unpack_profile(data, 1 << 20)


def test_the_encoding_of_a_body() -> None:
    assert [encoding_of(each, ENCODINGS) for each in (None, "identity", "ZSTD")] == [
        "identity",
        "identity",
        "zstd",
    ]
    with pytest.raises(MediaTypeError, match="gzip") as caught:
        encoding_of("gzip", ENCODINGS)
    assert caught.value.accepted == ["identity", "zstd"]


@pytest.mark.parametrize(
    ("size", "seconds"), [(0, 100), (400_000, 100), (1_700_000, 425), (3_600_000, 900), (32 << 20, 900)]
)
def test_it_may_take_as_long_as_a_thin_link_takes(size: int, seconds: float) -> None:
    """3 MB had 100 seconds, in which 50 kbit/s carry 600 kB: the upload was begun again and again."""
    assert transfer_s(size) == seconds
