"""A feed in a thread of its own, which hands pictures over one at a time."""

from __future__ import annotations

from contextvars import copy_context
from threading import Condition, Thread
from typing import TYPE_CHECKING

from shared.errors import SourceError

if TYPE_CHECKING:
    from edge.sources.base import Shot
    from edge.sources.live.feed import Feed

_RELEASE_S = 0.5  # a webcam that is not released yet cannot be opened again


class Connection(Thread):
    """Opens a feed and hands its pictures over, one at a time. No other thread reads the feed, or closes it."""

    def __init__(self, feed: Feed, name: str) -> None:
        """`name` is the source's, for what no feed should raise."""
        super().__init__(name="source", daemon=True)  # one that hangs does not keep the process alive
        self._feed = feed
        self._of = name
        self._caller = copy_context()
        """What whoever opens it has said of its logs: whose they are."""
        self._changed = Condition()
        self._shot: Shot | None = None
        self._error: SourceError | None = None
        self._over = False
        self.opened = False
        self.start()

    @property
    def pause_s(self) -> float:
        """How long the feed waits between two pictures by itself, in seconds."""
        return self._feed.pause_s

    def run(self) -> None:
        self._caller.run(self._read)

    def _read(self) -> None:
        try:
            self._feed.open()
            self.opened = True
            while (shot := self._feed.read()) is not None and self._hand_over(shot):
                pass
            self._finish(None)
        except SourceError as error:
            self._finish(error)
        except Exception as error:  # noqa: BLE001 - a thread's exception would be lost, and whoever waits would not know
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            self._finish(SourceError(f"{self._of}: reading it failed: {reason}"))
        finally:  # last, as some take their time to say goodbye
            self._feed.close()

    def take(self, timeout_s: float) -> Shot | None:
        """The next picture; None if there will be none. Raises TimeoutError, and what the feed raised."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._shot is not None or self._over, timeout_s):
                raise TimeoutError
            shot, self._shot = self._shot, None
            self._changed.notify_all()
            if shot is None and self._error:
                raise self._error
            return shot

    def close(self) -> bool:
        """End the thread as soon as its feed returns; whether it has ended already."""
        self._finish(None)
        self._feed.interrupt()
        self.join(_RELEASE_S)
        return not self.is_alive()

    def _hand_over(self, shot: Shot) -> bool:
        """Wait until `shot` was taken; False if no more are wanted."""
        with self._changed:
            if self._over:
                return False
            self._shot = shot
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._shot is None or self._over)
            return not self._over

    def _finish(self, error: SourceError | None) -> None:
        with self._changed:
            if not self._over:
                self._error = error
            self._over = True
            self._changed.notify_all()
