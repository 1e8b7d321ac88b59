"""A camera that gives one picture a request: it is asked for the next one again and again."""

from __future__ import annotations

import time
from threading import Event
from typing import TYPE_CHECKING

from edge.sources.base import Shot
from edge.sources.live.web.client import StatusError
from edge.sources.live.web.stills import MAX_STILL_BYTES, Stills
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.sources.live.web.client import Web
    from edge.sources.live.web.only_part import OnlyPart


class Snapshots:
    """A picture each `pause_s`, counted from request to request; as fast as the camera answers if that is slower.

    Every answer is a frame, also if its bytes are those of the one before: it is what the camera shows now. It is not asked whether
    the picture has changed (`If-None-Match`, `If-Modified-Since`), as cameras' marks of that are often wrong, or count seconds. A request that fails
    is made again when the next is due; the camera is lost once there was no picture for `patience_s`.
    """

    def __init__(
        self,
        web: Web | OnlyPart,
        name: str,
        *,
        pause_s: float,
        patience_s: float,
        on_undecodable: Callable[[], None],
        given: int = 0,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """`web` has just been asked, and its answer is the first picture; or it has `given` some already, and is asked at once."""
        self.pause_s = pause_s
        self._web = web
        self._name = name
        self._patience_s = patience_s
        self._stills = Stills(name, on_undecodable)
        self._clock = clock
        self._stopped = Event()
        self._wait = wait or self._stopped.wait
        self._asked = not given
        self._had = clock()
        self._due = self._had - (pause_s if given else 0)
        self._number = given

    def read(self) -> Shot | None:
        """The next picture; None after `interrupt`. Raises SourceError if the camera is lost."""
        while not self._stopped.is_set():
            try:
                picture = self._stills.decoded(self._answer())
            except SourceError as error:
                lasting = isinstance(error, StatusError) and error.lasting
                if lasting or self._clock() - self._had > self.pause_s + self._patience_s:
                    raise
                continue
            self._number += 1
            if picture is not None:
                self._had = self._clock()
                return Shot(picture, self._number - 1)
            if self._clock() - self._had > self.pause_s + self._patience_s:
                raise SourceError(
                    f"{self._name}: its answers for {self._patience_s:g} s were no pictures that can be decoded"
                )
        return None

    def interrupt(self) -> None:
        self._stopped.set()

    def _answer(self) -> bytes:
        """The next answer, asked for when it is due; requests that were missed meanwhile are not made up for."""
        if not self._asked:
            now = self._clock()
            self._due = max(self._due + self.pause_s, now)
            if self._due > now:
                self._wait(self._due - now)
            if self._stopped.is_set():
                raise SourceError(f"{self._name}: is closed")
            self._web.get()
        self._asked = False
        return self._web.body(MAX_STILL_BYTES)
