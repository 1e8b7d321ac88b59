"""Parts of a `multipart/x-mixed-replace` answer, as cameras send pictures: told apart as its bytes come in.

FFmpeg's reader is not used, as it ends a part without a length at the first line that begins with `--`, which a JPEG may hold by
chance; fails at parts that are no JPEG; and makes up a clock of 25 pictures a second.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_HEAD_BYTES = 16 << 10
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_ANY_BOUNDARY = re.compile(rb"(?:^|\n)-{2,8}([^\r\n-][^\r\n]{0,200}?)[ \t]*\r?\n")
_BEGINS_OTHERWISE = re.compile(
    rb"(?:\r?\n)*-{2,8}([^\r\n-][^\r\n]{0,200}?)[ \t]*\r?\ncontent-[a-z]{1,20}[ \t]*:", re.IGNORECASE
)
"""An answer that begins with a part, after a boundary that is not the one which it declares."""
_MAX_DELIMITER_BYTES = 512


@dataclass(frozen=True)
class Part:
    """One part of the answer."""

    content_type: str
    """In lower case and without parameters; empty if not said."""
    body: bytes

    @property
    def may_be_picture(self) -> bool:
        """Whether it is not said to be something else."""
        return not self.content_type or self.content_type.startswith("image/")


class Multipart:
    """Takes bytes as they come, and gives each part once it is complete.

    It is lenient where cameras are careless: a boundary that is declared with its dashes, or not at all, or that is another one; lines without a carriage return;
    no line break before a boundary; lengths that are missing or wrong.
    """

    def __init__(self, boundary: str, *, name: str, max_part_bytes: int) -> None:
        """`boundary` as the answer's head declares it, or empty; a longer part than `max_part_bytes` is an error of `name`."""
        self._name = name
        core = boundary.strip("-").encode("utf-8", "replace")
        self._line = _delimiter(core) if core else None
        self._declared = self._line is not None
        """Whether the boundary is as declared, and has not come yet."""
        self._max = max_part_bytes
        self._buffer = bytearray()
        self._kind: str | None = None
        """What the part that is being read is said to be; None between two parts."""
        self._length: int | None = None
        self._lengths_lie = False
        self._searched = 0
        self.ended = False
        """Whether the last boundary has come."""

    def feed(self, piece: bytes) -> Iterator[Part]:
        """The parts that `piece` completes. Raises SourceError where a part is too long."""
        self._buffer += piece
        while not self.ended:
            if self._kind is None:
                if not self._begin():
                    return
            elif (body := self._body()) is not None:
                part, self._kind = Part(self._kind, body), None
                yield part
            else:
                return

    def rest(self) -> Part | None:
        """At the end of the answer: the part that no boundary followed, whole or not; None if there is none."""
        kind, self._kind = self._kind, None
        return (
            Part(kind, bytes(self._buffer))
            if kind is not None and self._length is None and not self.ended
            else None
        )

    def _begin(self) -> bool:
        """Go past a boundary and the head of its part; False until both are there."""
        if self._line is None:
            found = _ANY_BOUNDARY.search(self._buffer)
            self._line = found and _delimiter(found[1].strip(b"-"))
        start = self._line and self._line.search(self._buffer)
        if not start and self._declared and (other := _BEGINS_OTHERWISE.match(self._buffer)):
            self._line = _delimiter(other[1].strip(b"-"))
            start = self._line.search(self._buffer)
        if not start:
            self._forget()
            return False
        self._declared = False
        if start[1]:
            self.ended = True
            return False
        head = _END_OF_HEAD.search(self._buffer, start.end() - 1)
        if not head:
            if len(self._buffer) - start.end() > _MAX_HEAD_BYTES:
                del self._buffer[: start.end()]
            return False
        if self._length is not None and self._buffer[: start.start()].strip(b"\r\n"):
            self._lengths_lie = (
                True  # a boundary did not follow the latest part; those to come are told apart by boundaries
            )
        fields = _fields(bytes(self._buffer[start.end() : head.start()]))
        del self._buffer[: head.end()]
        self._kind = fields.get("content-type", "").partition(";")[0].strip().lower()
        length = "" if self._lengths_lie else fields.get("content-length", "")
        self._length = int(length) if re.fullmatch(r"0*[1-9][0-9]{0,11}", length) else None
        self._searched = 0
        return True

    def _body(self) -> bytes | None:
        """The body of the part, taken from the buffer; None until it is there."""
        if self._length is not None:
            self._bounded(self._length)
            if len(self._buffer) < self._length:
                return None
            body = bytes(self._buffer[: self._length])
            del self._buffer[: self._length]
            return body
        assert self._line is not None
        found = self._line.search(self._buffer, self._searched)
        if not found:
            self._bounded(len(self._buffer))
            self._searched = max(
                0, len(self._buffer) - _MAX_DELIMITER_BYTES
            )  # a boundary may have come in part
            return None
        body = bytes(self._buffer[: found.start()])
        del self._buffer[: found.start()]
        return body.removesuffix(b"\r")

    def _forget(self) -> None:
        """Between parts, keep only what may be the beginning of a boundary."""
        if len(self._buffer) > _MAX_HEAD_BYTES:
            del self._buffer[:-_MAX_HEAD_BYTES]

    def _bounded(self, size: int) -> None:
        if size > self._max:
            raise SourceError(f"{self._name}: a picture of more than {self._max >> 20} MiB")


def _delimiter(core: bytes) -> re.Pattern[bytes]:
    """The line between two parts; group 1 is there if no more follow."""
    return re.compile(rb"(?:(?:^|\n)-{0,8}|-{2,8})" + re.escape(core) + rb"(--)?[ \t]*\r?\n")


def _fields(head: bytes) -> dict[str, str]:
    fields = {}
    for line in head.decode("latin-1").splitlines():
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    return fields
