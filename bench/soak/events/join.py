"""The events derived anew from the records, joined with those that a target has received."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.soak.events.records import CAMERAS, record_of
from edge.output.events.noticing import Noticing
from edge.output.events.teller import Teller
from shared.tasks.classify import Classes
from shared.tasks.detection.boxes import Box, Boxes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge.output.events.event import Event
    from edge.output.results import Record

_OWN = ("camera", "frame", "media_time_s", "frame_id", "time")

What = tuple[str, str, int | None, str | None, str, str]
"""Camera, kind, frame, its id, time and data of an event, as far as they do not depend on the run."""


def noticing(teller: Teller) -> Noticing:
    """As a run of the edge has it by its own settings, for recordings: their frames have times of their own."""
    return Noticing(teller, dict.fromkeys(CAMERAS, False), frames=3, hold_s=1.0, lost_s=2.0)


def derive(lines: Iterable[str]) -> dict[str, list[What]]:
    """What happened, by camera in order, from the records of one run as their file has them."""
    events: list[Event] = []
    notice = noticing(Teller(events.append, {}))
    for line in lines:
        notice(_read(json.loads(line)))
    found = defaultdict(list)
    for event in events:
        assert event.camera
        found[event.camera].append(what_of(json.loads(event.json())))
    return found


def _read(fields: Mapping[str, Any]) -> Record:
    own = {name: fields[name] for name in _OWN}
    if "top" in fields:
        return record_of(own, Classes(tuple(fields["top"])))
    boxes = (
        Box(each["class_id"], each["label"], each["score"], tuple(each["box"])) for each in fields["boxes"]
    )
    return record_of(own, Boxes(tuple(boxes), tuple(fields["size"])))


def what_of(event: Mapping[str, Any]) -> What:
    """`event` as its JSON has it. Of a track's name, that of the run is left out."""
    data = dict(event["data"])
    if "track" in data:
        data["track"] = data["track"].rpartition("-")[2]
    told = json.dumps(data, sort_keys=True)
    return event["camera"], event["kind"], event["frame"], event["frame_id"], event["time"], told


@dataclass
class Joined:
    """One target's."""

    expected: int
    received: int
    """Different ones."""
    repeated: int
    """Received once more, which at least once allows."""
    missing: int
    strange: int
    """Received, and not among those that were derived."""
    out_of_order: int
    """Whose first arrival came after that of a later one of its camera."""
    examples: list[str] = field(default_factory=list)

    @property
    def difference(self) -> int:
        """Events that one side has and the other lacks."""
        return self.missing + self.strange


def join(derived: Mapping[str, Sequence[What]], received: Sequence[Mapping[str, Any]]) -> Joined:
    """`derived`: of all runs, one after another; `received`: in the order of their arrival."""
    first = list({each["id"]: each for each in received}.values())
    expected = Counter(what for whats in derived.values() for what in whats)
    arrived = Counter(what_of(each) for each in first)
    missing, strange = expected - arrived, arrived - expected
    late, furthest = 0, Counter[str]()
    for each in first:
        late += each["number"] < furthest[each["camera"]]
        furthest[each["camera"]] = max(furthest[each["camera"]], each["number"])
    examples = [f"missing: {what}" for what in missing][:3] + [f"strange: {what}" for what in strange][:3]
    return Joined(
        expected.total(),
        len(first),
        len(received) - len(first),
        missing.total(),
        strange.total(),
        late,
        examples,
    )
