"""What the cloud and a process that decodes one video say to each other, over a socket between the two."""

from __future__ import annotations

import struct
from typing import NamedTuple

from shared.errors import ContentError, RequestError, StateMissingError
from shared.limits import MAX_ELEMENTS, MAX_PAYLOAD_BYTES

QUESTION = struct.Struct("<HBHHIf")
"""Codec id, whether it is a keyframe, height, width, length of the payload, seconds that it may take; the payload follows."""
ANSWER = struct.Struct("<BfI")
"""What became of it, seconds of processor, length of what follows: the picture's bytes, or why there is none."""
DECODED, REFUSED, MISSING = range(3)
BEGUN, FAILED = b"b", b"f"
"""What the nursery answers; with the first comes a file descriptor of the process."""
_ERRORS: dict[int, type[RequestError]] = {REFUSED: ContentError, MISSING: StateMissingError}
_MOST_TEXT_BYTES = 2000


class Question(NamedTuple):
    """One picture to be decoded."""

    codec_id: int
    keyframe: bool
    height: int
    width: int
    length: int
    seconds: float

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, 3

    def check(self) -> None:
        """Raise ValueError for what no cloud asks."""
        if self.length > MAX_PAYLOAD_BYTES or not 0 < 3 * self.height * self.width <= MAX_ELEMENTS:
            raise ValueError(f"{self}: this is no question")


class Answer(NamedTuple):
    """The head of an answer."""

    kind: int
    cpu_s: float
    length: int

    def check(self, wanted: int) -> None:
        """Raise ValueError for what no decoder answers that was asked for a picture of `wanted` bytes: it may be whatever a video made of it."""
        fits = self.length == wanted if self.kind == DECODED else self.length <= _MOST_TEXT_BYTES
        if self.kind not in (DECODED, *_ERRORS) or not fits or not self.cpu_s >= 0:
            raise ValueError(f"{self} is no answer about a picture of {wanted} bytes")

    def error(self, text: bytes) -> RequestError:
        """Why there is no picture."""
        said = " ".join(text.decode("utf-8", "replace").split())
        return _ERRORS[self.kind](said)


def refusal(error: RequestError) -> tuple[int, bytes]:
    """Kind and text of the answer that is a refusal."""
    kind = MISSING if isinstance(error, StateMissingError) else REFUSED
    return kind, str(error).encode("utf-8", "replace")[:_MOST_TEXT_BYTES]
