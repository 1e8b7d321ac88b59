"""One thing that happened, and its JSON (docs/events.md)."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from shared.security.escape import escaped_json, refuse_constant

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_EVENT_BYTES = 1 << 16
"""Bytes of one event's JSON."""
MAX_TOLD = 200
"""Characters of a class's name, as an event holds it."""


class Kind(StrEnum):
    """What may happen."""

    CLASS_CHANGED = "class_changed"
    OBJECT_APPEARED = "object_appeared"
    OBJECT_LEFT = "object_left"
    CAMERA_UP = "camera_up"
    CAMERA_DOWN = "camera_down"
    CLOUD_AWAY = "cloud_away"
    CLOUD_BACK = "cloud_back"


@dataclass(frozen=True, slots=True)
class Event:
    """Immutable; compared by value."""

    id: str
    """Unique across edges, runs and cameras: who gets an event twice knows it by this."""
    number: int
    """Counts the camera's events from 1, over restarts as well. One that is missing was lost."""
    camera: str | None
    """None for what happens to the edge itself."""
    kind: Kind
    time: str
    """When it happened, UTC, ISO 8601 with milliseconds: of a frame's event, when the frame was captured."""
    frame: int | None
    """Number of the frame that showed it, as in the records; None where no frame did."""
    frame_id: str | None
    """Its number at the cloud and in the cloud's ledger: 16 hexadecimal digits."""
    data: Mapping[str, Any]
    """What is told of this kind, by name: docs/events.md has a table."""

    def json(self) -> bytes:
        """One JSON object in UTF-8, without a line's end."""
        value = {name: getattr(self, name) for name in _NAMES}
        text = escaped_json(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
        return text.encode(errors="backslashreplace")

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The event that `json` made `data` of. Raises ValueError for anything else."""
        if len(data) > MAX_EVENT_BYTES:
            raise ValueError(f"an event of {len(data)} bytes; accepted: at most {MAX_EVENT_BYTES}")
        try:
            found = json.loads(data, parse_constant=refuse_constant)
        except RecursionError:
            raise ValueError("this is no event: it is too deep") from None
        if not isinstance(found, dict) or found.keys() != set(_NAMES):
            raise ValueError(f"an event is an object with the keys {', '.join(_NAMES)}")
        for name, kinds in _TYPES.items():
            if type(found[name]) not in kinds:
                raise ValueError(f"{name} is of the type {type(found[name]).__name__}")
        datetime.fromisoformat(found["time"])
        return cls(**(found | {"kind": Kind(found["kind"])}))


def utc(seconds: float) -> str:
    """A time of the clock `time.time` as events and records have it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


_NAMES = tuple(each.name for each in fields(Event))
_MAY_LACK = (str, type(None))
_TYPES: Mapping[str, tuple[type, ...]] = {
    "id": (str,),
    "number": (int,),
    "camera": _MAY_LACK,
    "kind": (str,),
    "time": (str,),
    "frame": (int, type(None)),
    "frame_id": _MAY_LACK,
    "data": (dict,),
}
