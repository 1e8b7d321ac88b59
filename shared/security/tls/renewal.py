"""Files that are renewed while connections are open: certificates of public CAs are, every few weeks."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

from shared.errors import SettingsError
from shared.process.settled import Settled

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from prometheus_client import Gauge

    from shared.observing.counting.counter import Counter
    from shared.security.tls.context import TLSFiles


class Metrics(Protocol):
    """What is used of shared/observing/metrics.py."""

    certificate_expiry: Gauge
    certificate_renewals: Counter


_log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
RENEWALS = ("taken", "failed")


class RenewedContext:
    """A TLS context that is made anew once its files have changed, for connections that are opened after that.

    Those that are open stay, and so do the frames on them. Files that cannot be used change nothing: the context that is in force
    stays, and the log says once what is wrong.
    """

    def __init__(
        self,
        make: Callable[[TLSFiles], ssl.SSLContext],
        files: TLSFiles,
        *,
        metrics: Metrics,
        certificate: str,
        taken: Callable[[ssl.SSLContext], object] = lambda _: None,
    ) -> None:
        """Raises SettingsError if the files cannot be used. `taken` is told each later context, on `look`'s thread.

        `certificate`: the label in `metrics`.
        """
        self._make = make
        self._files = files
        self._metrics = metrics
        self._certificate = certificate
        self._taken = taken
        self._settled = Settled(self._state())
        self.context = make(files)
        self._export(files.expiry())

    @property
    def files(self) -> TLSFiles:
        """What it is made of."""
        return self._files

    def on_change(self, taken: Callable[[ssl.SSLContext], object]) -> None:
        """Tell this each later context, on `look`'s thread."""
        self._taken = taken

    async def watch(self, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> NoReturn:
        """Look at the files every few seconds, on a thread, until cancelled."""
        while True:
            await sleep(LOOK_EVERY_S)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Take files that have changed before the last look and not since: certificate and key are not written in one step."""
        if not self._settled.has_changed(self._state()):
            return
        try:
            context, expiry = self._make(self._files), self._files.expiry()
        except (SettingsError, OSError) as error:  # the second if a file goes while it is read
            self._count("failed")
            _log.error("%s; what was read before stays in force", error)
            return
        self.context = context
        self._taken(context)
        self._export(expiry)
        self._count("taken")
        _log.info("%s: taken, for every connection from now on", ", ".join(self._files.paths))

    def _export(self, expiry: float) -> None:
        self._metrics.certificate_expiry.labels(certificate=self._certificate).set(expiry)

    def _count(self, result: str) -> None:
        self._metrics.certificate_renewals.labels(certificate=self._certificate, result=result).inc()

    def _state(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_state_of(path) for path in self._files.paths)


def _state_of(path: str) -> tuple[int, int, int] | None:
    try:
        stat = Path(path).stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
