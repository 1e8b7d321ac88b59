"""One video, decoded in a process of its own, which may die of it.

What it may take is bounded before it sees the first byte of a client's: memory, files, time for each picture. It ends with its socket,
however suddenly the cloud ends.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cloud.bodies.video.messages import ANSWER, DECODED, QUESTION, REFUSED, Question, refusal
from shared.codecs.registry import CODECS
from shared.codecs.video.checks import check_payload
from shared.codecs.video.codec import Video
from shared.codecs.video.decoding import Decoder
from shared.errors import StateMissingError, WireError
from shared.limits import MAX_VIDEO_EXTRA_BYTES, MAX_VIDEO_FRAME_CPU_S, MAX_VIDEO_PIXEL_BYTES

if TYPE_CHECKING:
    import socket

_GRACE_S = 1.0
_STATM = Path("/proc/self/statm")


def serve(connection: socket.socket) -> None:
    """Decode until the cloud closes the socket."""
    _confine()
    decoder: Decoder | None = None
    with contextlib.suppress(EOFError, OSError):
        while True:
            question = Question._make(QUESTION.unpack(_read(connection, QUESTION.size)))
            question.check()
            # The cloud ends a process that hangs; if the cloud has gone, it has to end itself.
            signal.setitimer(signal.ITIMER_REAL, question.seconds + _GRACE_S)
            signal.setitimer(signal.ITIMER_PROF, MAX_VIDEO_FRAME_CPU_S)
            if decoder is None:
                _bound_memory(question.height * question.width)
            payload = _read(connection, question.length)
            start_s = time.process_time()
            decoder, kind, answer = _decoded(decoder, question, payload)
            head = ANSWER.pack(kind, time.process_time() - start_s, len(answer))
            connection.sendall(head)
            connection.sendall(answer)
            for timer in (signal.ITIMER_REAL, signal.ITIMER_PROF):
                signal.setitimer(timer, 0)


def _decoded(
    decoder: Decoder | None, question: Question, payload: bytes
) -> tuple[Decoder | None, int, bytes]:
    """The decoder that goes on, and the kind and bytes of the answer."""
    codec = CODECS[question.codec_id]
    assert isinstance(codec, Video)
    try:
        check_payload(codec.kind, payload, question.shape, keyframe=question.keyframe)
        if question.keyframe:
            decoder = Decoder(codec.kind, question.shape)
        elif decoder is None:
            raise StateMissingError("this process has seen no keyframe")
        return decoder, DECODED, decoder.decode(payload).tobytes()
    except WireError as error:
        return None, *refusal(error)
    except MemoryError:
        return None, REFUSED, b"decoding this picture takes too much memory"


def _confine() -> None:
    """Give up what decoding does not need: new files, and what a crash would leave on the disk."""
    for limit, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NOFILE, 16)):
        resource.setrlimit(limit, (most, most))


def _bound_memory(pixels: int) -> None:
    """For good: a picture of another size has another process."""
    now = [int(pages) * resource.getpagesize() for pages in _STATM.read_text(encoding="ascii").split()]
    more = MAX_VIDEO_EXTRA_BYTES + MAX_VIDEO_PIXEL_BYTES * pixels
    for limit, used in ((resource.RLIMIT_AS, now[0]), (resource.RLIMIT_DATA, now[5])):
        resource.setrlimit(limit, (used + more, used + more))


def _read(connection: socket.socket, size: int) -> bytes:
    data = bytearray(size)
    rest = memoryview(data)
    while rest:
        count = connection.recv_into(rest)
        if not count:
            raise EOFError
        rest = rest[count:]
    return bytes(data)
