"""How one tensor becomes bytes and comes back. Edge and cloud share this package; it imports no torch."""

from shared.codecs.base import Codec, Encoded
from shared.codecs.coding import decode_frame, encode_frame
from shared.codecs.registry import CODECS, NAMES, codec_of, known_codecs, make_codec, plugin_codecs

__all__ = [
    "CODECS", "NAMES", "Codec", "Encoded", "codec_of", "decode_frame", "encode_frame", "known_codecs", "make_codec",
    "plugin_codecs",
]  # fmt: skip
