"""What a fleet has done, joined: the light edges' records, the frames that they made, and every cloud's ledger."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from bench.harness.pauses import Pauses
from bench.soak.fleet.clouds import alive_s
from bench.soak.ledger import session_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.soak.fleet.clouds import Life
    from bench.soak.fleet.edge import FrameRecord
    from bench.soak.ledger import Row


@dataclass(frozen=True)
class Played:
    """One cloud of the fleet. Times are seconds of the event loop's clock."""

    name: str
    lives: Sequence[Life]
    answered: Mapping[int, Sequence[float]]
    """When its ledger says `answered` of a frame id."""


@dataclass(frozen=True)
class Outcome:
    """One run."""

    made: Mapping[int, int]
    """Frames that were due, by the session of the edge that was to send them."""
    records: Sequence[FrameRecord]
    clouds: Sequence[Played]
    start: float
    """Faults begin; what was due earlier had a calm fleet."""
    end: float
    """Faults end."""
    deadline_s: float
    offered_per_s: float
    capacity_per_s: float
    """Frames/s of all clouds but one, through the same balancer."""
    kills_due: int
    cuts: int
    others_cores: float = 0.0
    """What other processes took of this machine's cores under faults, on average."""
    pauses: Pauses = field(default_factory=Pauses)
    """When the light edges' own process stood still."""
    real_faults: Sequence[str] = field(default=())
    """What is wrong with the records of real edges, for people."""
    real_records: int = 0
    """How many they wrote."""

    @cached_property
    def faulted(self) -> list[FrameRecord]:
        """The records of frames that were due under faults."""
        return [each for each in self.records if each.due >= self.start]

    @property
    def calm(self) -> list[FrameRecord]:
        return [each for each in self.records if each.due < self.start]

    @cached_property
    def recorded(self) -> Counter[int]:
        return Counter(each.frame_id for each in self.records)

    @cached_property
    def due(self) -> set[int]:
        """The ids of all frames that were made."""
        return {session << 32 | number for session, count in self.made.items() for number in range(count)}

    @cached_property
    def computed(self) -> Counter[int]:
        """How often clouds have answered a frame of ours, by its id."""
        counts = Counter[int]()
        for cloud in self.clouds:
            counts.update({frame_id: len(times) for frame_id, times in cloud.answered.items()})
        return counts

    def waited_s(self, record: FrameRecord) -> float:
        """How long the frame took, without the time in which this process stood still and could not even have answered by itself."""
        return record.latency_s - self.pauses.within(record.due, record.done)

    def kills(self) -> list[float]:
        """When clouds were killed."""
        return sorted(life.end for cloud in self.clouds for life in cloud.lives if life.end is not None)

    def under_way_at_kills(self) -> list[FrameRecord]:
        """Records of the frames that were under way when a cloud was killed."""
        kills = self.kills()
        return [each for each in self.records if any(each.due <= at < each.done for at in kills)]

    def frames_of(self, cloud: Played) -> int:
        """That it answered while there were faults."""
        return sum(self.start <= at < self.end for times in cloud.answered.values() for at in times)

    def alive_s_of(self, cloud: Played) -> float:
        """How long it lived while there were faults."""
        return alive_s(cloud.lives, self.start, self.end)

    def rate_of(self, cloud: Played) -> float:
        """Frames per second of life, while there were faults."""
        alive = self.alive_s_of(cloud)
        return self.frames_of(cloud) / alive if alive else 0.0


def answered_in(
    ledger: Sequence[Row], sessions: Mapping[int, int], offset_s: float
) -> dict[int, list[float]]:
    """The lines `answered` of frames of these sessions; `offset_s` is what the wall clock is ahead of the event loop's."""
    found: dict[int, list[float]] = {}
    for line in ledger:
        if line["frame_id"] and line["outcome"] == "answered" and session_of(line["frame_id"]) in sessions:
            at = datetime.fromisoformat(line["time"]).timestamp() - offset_s
            found.setdefault(int(line["frame_id"], 16), []).append(at)
    return found
