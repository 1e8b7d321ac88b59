"""What `python -m bench scale` measures, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from bench.harness.options import ModelOptions, SystemOptions, number_between, option
from bench.harness.system import Setup
from shared.process.threads import available_cores

_CELL_S, _LEAST_S, _MOST_S, _QUICK_S = 2.0, 0.25, 10.0, 1.0
"""What a load takes besides its measured time: a process that starts, the warm-up, the last answers; and the least and the most that
is measured, and that with --quick."""
_CLOUD_S = 5.0
"""The start of one cloud."""
_FRAMES_S = 5.0


def whole(text: str) -> tuple[int, ...]:
    """For argparse: whole numbers between commas, from 1 on."""
    one = number_between(int, 1, 4096)
    return tuple(int(one(each)) for each in text.split(","))


@dataclass(frozen=True, order=True)
class Shape:
    """One cloud."""

    workers: int
    threads: int
    """All workers have so many together."""
    batch: int
    """Tensors in one run of a tail, at most."""

    def flags(self, clients: int) -> list[str]:
        """With room for so many clients, however few of the workers they come to: what is measured is no refusal."""
        room = 2 * self.workers * max(64, clients)
        given = {
            "workers": self.workers, "threads": self.threads, "max-batch": self.batch, "queue-capacity": min(4096, room),
            "client-frames": room, "client-connections": room, "max-connections": 8 * self.workers + room,
        }  # fmt: skip
        return [f"--{name}={value}" for name, value in given.items()]


@dataclass(frozen=True)
class ScaleOptions(ModelOptions):
    """Frames/s and latencies of a cloud alone, by clients, threads, batches and workers, beside what one thread's figures predict.

    Takes --seconds in all, five minutes unless told otherwise; with --quick less than one.
    """

    command = "scale"

    seconds: int = option(300, "for everything", quick=45, type=number_between(int, 10, 3600))
    split_point: str = option("layer3", "of all frames")
    clients: tuple[int, ...] = option(
        (1, 2, 4, 8, 16, 32, 64, 128), "at once, each with one frame under way", quick=(1, 8), type=whole
    )
    threads: tuple[int, ...] = option((1, 2), "of one worker", type=whole)
    batches: tuple[int, ...] = option((1, 8), "limits of a batch", quick=(8,), type=whole)
    workers: tuple[int, ...] = option((1, 2), "with one thread each", type=whole)
    source: str = option("", "of the frames (default: the clip of ../shared/videos, or a synthetic one)")

    def wrong(self) -> str | None:
        if 1 not in self.threads or 1 not in self.workers:
            return "--threads and --workers must have 1 among them: it is what the others are predicted from"
        most = max(*self.threads, *self.workers)
        if most > available_cores():
            return f"{most} threads: this machine gives {available_cores()} cores, and more would share them"
        least_s = _FRAMES_S + len(self.shapes) * _CLOUD_S + self.cells * (_CELL_S + _LEAST_S)
        if self.seconds < least_s:
            clouds, loads = len(self.shapes), len(self.clients)
            return f"--seconds {self.seconds}: {clouds} clouds and {loads} numbers of clients need {least_s:.0f} or more"
        return None

    @property
    def shapes(self) -> list[Shape]:
        """The clouds, those with one thread first."""
        found = [
            Shape(1, threads, batch) for threads, batch in product(sorted(set(self.threads)), self.batches)
        ]
        return found + [
            Shape(workers, workers, batch)
            for workers, batch in product(sorted(set(self.workers) - {1}), self.batches)
        ]

    @property
    def cells(self) -> int:
        """Loads that are measured."""
        return len(self.shapes) * len(self.clients)

    def cell_s(self, left_s: float, cells: int) -> float:
        """Measured seconds of the next of so many loads, with so much time left for all of them: clouds may have started slowly."""
        return min(_QUICK_S if self.quick else _MOST_S, max(_LEAST_S, left_s / cells - _CELL_S))

    @property
    def setup(self) -> Setup:
        """For the process that makes the frames; the clouds have flags of their own."""
        return Setup(self.weights, self.source or SystemOptions().source, threads=1)
