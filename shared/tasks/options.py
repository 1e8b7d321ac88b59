"""What a task is told: `detect:form=yolov8,threshold=0.3` as a user writes it, and options that are taken one by one."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from shared.errors import SettingsError, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shared.tasks.spec import Option

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_MAX_CHARACTERS = 4096
_MAX_OPTIONS = 64
EXAMPLE = "NAME or NAME:option=value,option=value, as in detect:form=yolov8,threshold=0.3"


def parse_task(text: str) -> tuple[str, dict[str, Option]]:
    """The task's name and the options that were given. Raises SettingsError, one line."""
    name, colon, rest = (part.strip() for part in text.partition(":"))
    items = rest.split(",") if colon else []
    if not _NAME.fullmatch(name) or len(text) > _MAX_CHARACTERS or len(items) > _MAX_OPTIONS:
        raise SettingsError(f"task {text[:80]!r}; accepted: {EXAMPLE}")
    options: dict[str, Option] = {}
    for item in items:
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals or not value or not _NAME.fullmatch(key) or key in options:
            raise SettingsError(f"task {text[:80]!r}: {item[:40]!r}; accepted: {EXAMPLE}, each option once")
        options[key] = _value(value)
    return name, options


def _value(text: str) -> Option:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


class Options:
    """Options that a task takes by name. Raises ValueError, one line, for a value that it does not accept."""

    def __init__(self, given: Mapping[str, Option]) -> None:
        self._given = dict(given)
        self._known: list[str] = []

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"{name}={value}; accepted: {low:g} to {high:g}")
        return float(value)

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self._take(name, default)
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"{name}={value}; accepted: a whole number, {low} to {high}")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """`true` or `false`."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise ValueError(f"{name}={value}; accepted: true, false")  # noqa: TRY004 - one kind of error for all content
        return value

    def choice(self, name: str, accepted: Iterable[str], default: str) -> str:
        """One of the words in `accepted`."""
        value = self._take(name, default)
        if value not in (words := tuple(accepted)):
            raise ValueError(f"{name}={str(value)[:40]}; accepted: {', '.join(words)}")
        return str(value)

    def numbers(self, name: str, default: str, most: int) -> tuple[float, ...]:
        """Numbers with `:` between them, at most `most`; none for an empty text."""
        value = self._take(name, default)
        try:
            found = tuple(map(float, str(value).split(":"))) if value != "" else ()
        except ValueError:
            found = (math.nan,)
        if isinstance(value, bool) or len(found) > most or not all(map(math.isfinite, found)):
            raise ValueError(f"{name}={str(value)[:40]}; accepted: at most {most} numbers, as in 8:16:32")
        return found

    def words(self, name: str, accepted: Iterable[str], default: str) -> tuple[str, ...]:
        """Words of `accepted` with `:` between them, none of them twice."""
        value = str(self._take(name, default))
        found, known = tuple(value.split(":")), tuple(accepted)
        if len(set(found)) != len(found) or not set(found) <= set(known):
            raise ValueError(f"{name}={value[:40]}; accepted, each once, with : between: {', '.join(known)}")
        return found

    def has(self, name: str) -> bool:
        """Whether it was given; then it is to be taken."""
        return name in self._given

    def text(self, name: str, default: str) -> str:
        """Any text."""
        return str(self._take(name, default))

    def refuse_rest(self) -> None:
        """Raise ValueError if there is an option that nobody took."""
        for name in self._given:
            if name not in self._known:
                known = suggest(name, self._known) if self._known else "there is none"
                raise ValueError(f"there is no option {name[:40]}; {known}")

    def _take(self, name: str, default: Option) -> Option:
        self._known.append(name)
        return self._given.get(name, default)
