"""What frames and profiles need of HTTP: the digest of a body and the one encoding that is accepted."""

from __future__ import annotations

import base64
import hashlib

import pytest

from shared.errors import MediaTypeError
from shared.wire.http import content_digest, encoding_of


def test_a_digest_is_written_as_rfc_9530_says() -> None:
    name, _, value = content_digest(b"body").partition("=")
    assert name == "sha-256"
    assert value[0] == value[-1] == ":"
    assert base64.b64decode(value[1:-1], validate=True) == hashlib.sha256(b"body").digest()


def test_the_digest_of_an_example() -> None:
    """The empty string, whose SHA-256 everybody knows."""
    assert content_digest(b"") == "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"


def test_a_body_sent_as_it_is_is_accepted() -> None:
    for encoding in (None, "identity", "Identity", "IDENTITY"):
        encoding_of(encoding)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "br", "", "identity, gzip"])
def test_any_other_encoding_is_refused_by_name(encoding: str) -> None:
    with pytest.raises(MediaTypeError, match=f"Content-Encoding {encoding} is not supported") as refusal:
        encoding_of(encoding)
    assert refusal.value.accepted == ["identity"]
