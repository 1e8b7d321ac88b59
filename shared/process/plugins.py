"""What other packages offer under an entry-point group: loaded on first use; one that is broken stops nothing."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping
    from importlib.metadata import EntryPoint

_log = logging.getLogger(__name__)

_LONGEST = 200

Made = TypeVar("Made")


class Plugins(Generic[Made]):
    """The offers of one group. May be used from any thread."""

    def __init__(
        self,
        what: str,
        entry_points: Callable[[], Iterable[EntryPoint]],
        make: Callable[[EntryPoint, Mapping[Any, Made]], tuple[Hashable, Made]],
    ) -> None:
        """`what` is offered, for people: `codec`. `make` gives the key and the object of an entry point, beside those that there
        are already; it may raise anything, and a ValueError says in its own words what is wrong.
        """
        self._what = what
        self._entry_points = entry_points
        self._make = make
        self._lock = threading.Lock()
        self._made: dict[Any, Made] | None = None
        self.broken: dict[str, str] = {}
        """Why an entry point gave nothing, by its name; filled by `loaded`."""

    def loaded(self) -> Mapping[Any, Made]:
        """All that could be loaded, by key. Each of the others is named in one warning, and stops nothing."""
        with self._lock:
            if self._made is None:
                self._made = self._load()
            return self._made

    def _load(self) -> dict[Any, Made]:
        found: dict[Any, Made] = {}
        try:
            # A fixed order, so that among two with one key the same one wins every time.
            entries = sorted(self._entry_points(), key=lambda entry: (entry.name, entry.value))
        except Exception as error:  # noqa: BLE001 - a damaged installation of some other package
            _log.warning("%ss of other packages cannot be listed: %s", self._what, describe(error))
            return found
        for entry in entries:
            try:
                key, made = self._make(entry, found)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - another package's code may raise anything
                reason = str(error) if type(error) is ValueError else describe(error)
                self.broken[entry.name] = reason
                _log.warning("the %s %s of %s is not used: %s", self._what, entry.name, entry.value, reason)
            else:
                found[key] = made
        return found


def describe(error: BaseException) -> str:
    """What an error of another package says, in at most 200 characters, whatever its class does."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - it is somebody else's class
        text = "(it cannot say what)"
    return f"{type(error).__name__}: {text}"[:_LONGEST]
