"""The frames of a run between two of its records, with the pipeline full at both ends.

Start-up is before it, and so are the first frames, which pay for caches and for what is compiled at first use. The edge
goes on after it: a window that ended with the last frame would count the frames that were under way when it began, and
none of their work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUN_OUT = 20
"""Frames after the last window: what fits into the edge's queues and requests."""

_Sample = TypeVar("_Sample")


class Recorded(Protocol):
    """What gives records, as `bench.harness.system.Edge` does."""

    def records(self) -> Iterator[tuple[dict[str, Any], float]]:
        """Each record and its arrival in monotonic seconds."""

    def said(self) -> str:
        """The last lines that it printed."""


@dataclass(frozen=True)
class Window(Generic[_Sample]):
    """Some frames, the time from the answer before them to the last of theirs, and a sample at both ends."""

    records: list[dict[str, Any]]
    seconds: float
    before: _Sample
    after: _Sample

    @property
    def frames_per_s(self) -> float:
        return len(self.records) / self.seconds


def watch(
    edge: Recorded,
    sample: Callable[[], _Sample],
    *,
    warm: int,
    frames: int,
    windows: int = 1,
    answered_by: str,
) -> list[Window[_Sample]]:
    """Windows of `frames` frames, one after another, after `warm` frames. Reads the edge to its last record.

    Raises RuntimeError for a frame that was answered by another side: then something else would be measured.
    """
    assert warm > 0, "the first frames are never measured"
    found: list[Window[_Sample]] = []
    records: list[dict[str, Any]] = []
    begin: tuple[float, _Sample] | None = None
    for count, (record, arrived) in enumerate(edge.records(), 1):
        if record["answered_by"] != answered_by:
            raise RuntimeError(
                f"frame {record['frame']} was answered by {record['answered_by']}, not by {answered_by} "
                f"({record['fallback']}):\n{edge.said()}"
            )
        if begin:
            records.append(record)
        if len(found) < windows and (count == warm or len(records) == frames):
            now = sample()
            if begin:
                found.append(Window(records, arrived - begin[0], begin[1], now))
            records, begin = [], (arrived, now)
    assert len(found) == windows, "the edge was given too few frames"
    return found


def frames_needed(*, warm: int, frames: int, windows: int = 1) -> int:
    """How many frames the edge must be given for `watch`."""
    return warm + windows * frames + RUN_OUT
