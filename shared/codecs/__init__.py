"""How one tensor becomes bytes. The one encoding module that edge and cloud share; numpy and zstandard, no torch."""

from shared.codecs.base import Codec, Encoded
from shared.codecs.coding import decode_frame, encode_frame
from shared.codecs.registry import CODECS, NAMES, codec_by_id, make_codec

__all__ = ["CODECS", "NAMES", "Codec", "Encoded", "codec_by_id", "decode_frame", "encode_frame", "make_codec"]
