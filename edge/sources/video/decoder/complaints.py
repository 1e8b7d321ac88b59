"""What FFmpeg complains about while it reads: many decoders make up what is missing, and tell it nowhere but in the log."""

from __future__ import annotations

import logging
from typing import Self

import av


class _Strays(logging.Handler):
    """Counts what FFmpeg's own threads say, which nobody can tell from whose stream it is."""

    said = 0
    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.said += 1
        self.last = record.getMessage()


_strays = _Strays()


def listen() -> None:
    """Have FFmpeg's errors handed to Python, and none printed: they may hold a URL with its password."""
    logger = logging.getLogger("libav")
    if _strays not in logger.handlers:
        logger.addHandler(_strays)
        logger.propagate = False
        logger.setLevel(logging.ERROR)
        av.logging.set_skip_repeated(v=False)  # it would also swallow what the next frame says
        av.logging.set_level(av.logging.ERROR)


class Complaints:
    """FFmpeg's errors in the thread that is in the `with`, and of FFmpeg's own threads if it decodes with several."""

    def __init__(self, threads: int) -> None:
        self._several = threads > 1
        self._capture = av.logging.Capture()
        self._strays = 0

    def __enter__(self) -> Self:
        self._capture.__enter__()
        self._strays = _strays.said
        return self

    def __exit__(self, *exception: object) -> None:
        self._capture.__exit__(None, None, None)
        self._capture.logs.clear()

    def taken(self) -> str:
        """The first since it was asked last, on one line; empty if there was none."""
        errors = [text for level, _, text in self._capture.logs if level <= av.logging.ERROR]
        self._capture.logs.clear()
        strays, self._strays = self._strays, _strays.said
        if errors:
            return " ".join(errors[0].split())[:200]
        return " ".join(_strays.last.split())[:200] if self._several and strays != self._strays else ""
