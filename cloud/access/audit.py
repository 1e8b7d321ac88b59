"""Who did what: one JSON line for each refusal, upload, eviction and login, so few that nobody can fill a disk with them.

    {"time":…,"client":"gate-3","action":"profile","outcome":"refused","reason":"over_quota","subject":…,"cost":{"bytes":…,"s":…},"left_out":0}

`left_out` is how many lines about this client, between this one and the one before it, were not written.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from cloud.access.ledger import kept_lines
from shared.limits import MAX_AUDIT_TEXT, MAX_AUDITED_CLIENTS
from shared.observing.rotation import Rotation
from shared.security.escape import shown
from shared.wire.server.rate import Rate

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloud.config import CloudSettings
    from cloud.metrics import CloudMetrics
    from shared.observing.counting.counter import Counter
    from shared.observing.json_lines import JsonLines

_BURST, _PER_S = 20, 0.1
"""Lines about one client: a minute of an attack is 26 of them."""
_ALL_BURST, _ALL_PER_S = 60, 0.5
"""Lines about all clients of a kind, with a key and without: 90 in the first minute and 30 in each later one, 200 bytes each."""


class Action(StrEnum):
    """What a client wanted."""

    CONNECT = "connect"
    FRAME = "frame"
    JSON = "json"
    PROFILE = "profile"
    EVICT = "evict"
    BUNDLE = "bundle"
    READ = "read"
    LOGIN = "login"
    LOGOUT = "logout"
    SUMMARY = "summary"
    """Nothing: the line says how many others were left out."""


class Outcome(StrEnum):
    """What became of it."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(slots=True)
class _Client:
    """What is known of one client, or of all that are of a kind."""

    rate: Rate
    left_out: int = 0


class Audit:
    """Writes the lines. For any thread."""

    def __init__(
        self, file: JsonLines | None, left_out: Counter, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Without a `file` nothing is written. `left_out` counts the lines that were too many."""
        self._file, self._counter, self._clock = file, left_out, clock
        self._lock = threading.Lock()
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        """Least recently seen first."""
        self._kinds = {known: self._fresh(_ALL_BURST, _ALL_PER_S) for known in (True, False)}
        """Clients that were let in with a key, and those of whom no more than the address is known: these must not use up the lines
        about the others."""

    def note(
        self,
        client: str,
        action: Action,
        outcome: Outcome,
        *,
        reason: str | None = None,
        subject: str | None = None,
        size: int = 0,
        seconds: float = 0.0,
        known: bool = False,
    ) -> None:
        """Write a line, unless there are too many.

        `subject` is what was acted upon, such as a profile's name. The cost is the bytes that the client sent for it, `size`, and
        the `seconds` that it took. `known`: `client` is the name that its key has here, not an address.
        """
        if self._file is None:
            return
        with self._lock:
            one = self._client(client)
            if not (one.rate.take() and self._kinds[known].rate.take()):
                one.left_out += 1
                self._counter.inc()
                return
            left_out, one.left_out = one.left_out, 0
            cost = {"bytes": size, "s": round(seconds, 4)}
            self._write(client, action, outcome, reason, subject, cost, left_out)

    def tend(self) -> None:
        """What is to be done every few seconds even if nothing happens: remove old files, and say what was left out lately."""
        if self._file is None:
            return
        with self._lock:
            self._file.tend()
            waiting = [(name, one) for name, one in self._clients.items() if one.left_out]
            for name, one in waiting:
                if one.rate.take() and self._kinds[False].rate.take():
                    self._sum_up(name, one)
            everybody = self._kinds[False]
            if everybody.left_out and everybody.rate.take():
                self._sum_up("", everybody)

    def finish(self) -> None:
        """Say how many lines were left out that no line has told of. The file stays open: connections are closed later."""
        if self._file is None:
            return
        with self._lock:
            everybody = self._kinds[False]
            everybody.left_out += sum(one.left_out for one in self._clients.values())
            self._clients.clear()
            if everybody.left_out:
                self._sum_up("", everybody)

    def _client(self, name: str) -> _Client:
        one = self._clients.get(name)
        if one is None:
            if len(self._clients) >= MAX_AUDITED_CLIENTS:
                _, forgotten = self._clients.popitem(last=False)
                self._kinds[False].left_out += forgotten.left_out
            one = self._clients[name] = self._fresh(_BURST, _PER_S)
        self._clients.move_to_end(name)
        return one

    def _fresh(self, burst: int, per_s: float) -> _Client:
        return _Client(Rate(burst, per_s, self._clock))

    def _sum_up(self, name: str, one: _Client) -> None:
        left_out, one.left_out = one.left_out, 0
        self._write(name, Action.SUMMARY, Outcome.DONE, None, None, None, left_out)

    def _write(
        self,
        client: str,
        action: Action,
        outcome: Outcome,
        reason: str | None,
        subject: str | None,
        cost: dict[str, float] | None,
        left_out: int,
    ) -> None:
        assert self._file is not None
        self._file.write(
            {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "client": shown(client, MAX_AUDIT_TEXT) or None,
                "action": action.value,
                "outcome": outcome.value,
                "reason": reason,
                "subject": subject and shown(subject, MAX_AUDIT_TEXT),
                "cost": cost,
                "left_out": left_out,
            }
        )


def open_audit(settings: CloudSettings, metrics: CloudMetrics) -> Audit:
    """The audit that the settings ask for. Raises SettingsError."""
    rotation = Rotation(max_bytes=settings.audit_max_bytes, keep=settings.audit_keep)
    file = kept_lines(
        settings.audit, "audit", rotation, errors=metrics.audit_errors, metrics=metrics.audit_files
    )
    return Audit(file, metrics.audit_left_out)
