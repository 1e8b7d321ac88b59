"""The summary that the edge prints at the end."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict, deque
from types import MappingProxyType
from typing import TYPE_CHECKING

from edge.output.printer import human_bytes
from shared.security.escape import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edge.output.results import Record

_MAX_REMEMBERED = 10_000
"""Frames that the percentiles are taken over, and names that are counted, at most: a camera runs for months."""
_MAX_SHOWN = 10
"""Names."""
_MAX_OF_A_CAMERA = 1000
"""Frames that its own percentiles are taken over, at most."""
_NOTHING: Mapping[str, int] = MappingProxyType({})


class _Camera:
    """What became of one camera's frames."""

    def __init__(self) -> None:
        self.answered: Counter[str] = Counter()
        self.latencies: deque[float] = deque(maxlen=_MAX_OF_A_CAMERA)

    def line(self, dropped: int, undecodable: int, seconds: float) -> str:
        rate = sum(count for by, count in self.answered.items() if by != "still") / seconds
        milliseconds = f"{_percentile(self.latencies, 50):8.1f}" if self.latencies else f"{'-':>8}"
        count = sum(self.answered.values()) + dropped
        return (
            f"{count:8}{self.answered['cloud']:8}{self.answered['edge']:8}{self.answered['still']:8}"
            f"{dropped:9}{undecodable:13}{rate:10.2f}{milliseconds}"
        )


class _Cloud:
    """What one of several clouds answered."""

    def __init__(self) -> None:
        self.count = 0
        self.latencies: deque[float] = deque(maxlen=_MAX_OF_A_CAMERA)

    def add(self, latency_ms: float) -> None:
        self.count += 1
        self.latencies.append(latency_ms)

    def line(self) -> str:
        if not self.latencies:
            return f"{self.count:8}{'-':>9}{'-':>9}"
        return f"{self.count:8}{_percentile(self.latencies, 50):9.1f}{_percentile(self.latencies, 95):9.1f}"


class Summary:
    """Collects records; `text` says what became of the frames, what they showed, how long they took and where the time went."""

    def __init__(self, cameras: Iterable[str] = (), clouds: Iterable[str] = ()) -> None:
        """Each of several `cameras`, and of several `clouds`, has a line of its own as well, even if it gives no frame, or no answer."""
        self._cameras = {name: _Camera() for name in cameras}
        self._clouds = {name: _Cloud() for name in clouds}
        self._answered: Counter[str] = Counter()
        self._damaged = 0
        self._seen: Counter[str] = Counter()
        """The number of frames in which each name was seen."""
        self._bytes = 0
        self._latencies: deque[float] = deque(maxlen=_MAX_REMEMBERED)
        self._steps: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_MAX_REMEMBERED))

    def __call__(self, record: Record) -> None:
        self._answered[record.answered_by] += 1
        self._damaged += record.damaged
        self._bytes += record.payload_bytes
        camera = self._cameras.get(record.camera)
        if camera:
            camera.answered[record.answered_by] += 1
        if record.answered_by != "still":  # or a still scene would look like a fast system
            self._latencies.append(record.latency_ms)
            if camera:
                camera.latencies.append(record.latency_ms)
        if record.cloud in self._clouds:
            self._clouds[record.cloud].add(record.latency_ms)
        for name, milliseconds in record.stages_ms.items():
            self._steps[name].append(milliseconds)
        for name in set(map(escaped, record.answer.shows())):
            if name in self._seen or len(self._seen) < _MAX_REMEMBERED:
                self._seen[name] += 1

    def text(
        self,
        dropped: Mapping[str, int],
        seconds: float,
        *,
        undecodable: Mapping[str, int] = _NOTHING,
        left_out: int = 0,
    ) -> str:
        """Several lines about a run of `seconds`.

        By camera: frames that were read but `dropped` to keep up, and what was `undecodable`. Frames `left_out` by a camera's
        rate are not among those that came in.
        """
        still, all_dropped = self._answered["still"], sum(dropped.values())
        answered = sum(self._answered.values()) - still
        lines = [
            f"frames in           {answered + still + all_dropped}",
            f"answered by cloud   {self._answered['cloud']}",
            f"answered by edge    {self._answered['edge']}",
            f"dropped             {all_dropped}",
        ]
        others = {
            "still, not sent": still,
            "failed": self._answered["nobody"],
            "left out": left_out,
            "undecodable": sum(undecodable.values()),
            "damaged": self._damaged,
        }
        lines += [f"{name:<20}{count}" for name, count in others.items() if count]
        if answered:
            lines += [
                f"frames/s            {answered / seconds:.2f}",
                f"bytes/frame         {human_bytes(self._bytes / answered)}",
                *([f"  with the still    {human_bytes(self._bytes / (answered + still))}"] if still else []),
                f"latency p50 / p95   {_percentile(self._latencies, 50):.1f} / {_percentile(self._latencies, 95):.1f} ms",
                *self._seen_lines(),
            ]
        lines += self._camera_lines(dropped, undecodable, seconds)
        lines += self._cloud_lines()
        if answered:
            lines += [
                "",
                f"{'step':<18}{'p50 ms':>9}{'p95 ms':>9}",
                *(
                    f"{name:<18}{_percentile(values, 50):9.1f}{_percentile(values, 95):9.1f}"
                    for name, values in self._steps.items()
                ),
            ]
        return "\n".join(lines)

    def _camera_lines(
        self, dropped: Mapping[str, int], undecodable: Mapping[str, int], seconds: float
    ) -> list[str]:
        """A line for each of several cameras."""
        if len(self._cameras) < 2:
            return []
        width = max(18, *(len(name) + 1 for name in self._cameras))
        head = (
            f"{'camera':<{width}}{'in':>8}{'cloud':>8}{'edge':>8}{'still':>8}{'dropped':>9}{'undecodable':>13}"
            f"{'frames/s':>10}{'p50 ms':>8}"
        )
        lines = [
            f"{name:<{width}}{camera.line(dropped.get(name, 0), undecodable.get(name, 0), seconds)}"
            for name, camera in self._cameras.items()
        ]
        return ["", head, *lines]

    def _cloud_lines(self) -> list[str]:
        """A line for each of several clouds."""
        if len(self._clouds) < 2:
            return []
        width = max(18, *(len(name) + 1 for name in self._clouds))
        head = f"{'cloud':<{width}}{'answers':>8}{'p50 ms':>9}{'p95 ms':>9}"
        return ["", head, *(f"{name:<{width}}{cloud.line()}" for name, cloud in self._clouds.items())]

    def _seen_lines(self) -> list[str]:
        """What was seen in most frames."""
        if not self._seen:
            return []
        shown = self._seen.most_common(_MAX_SHOWN)
        lines = ["", f"{'seen':<28}{'frames':>8}"]
        lines += [f"{name if len(name) < 28 else name[:26] + '…':<28}{frames:8}" for name, frames in shown]
        others = len(self._seen) - len(shown)
        return [*lines, f"and {others} more"] if others else lines


def _percentile(values: deque[float], percent: int) -> float:
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
