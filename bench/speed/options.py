"""What `python -m bench speed` measures, and how much of it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from bench.harness.options import ReportOptions, SystemOptions, names, option, positive

SECTIONS = ("split", "engines", "stages", "clients", "footprint")
_POINTS = ("input", "layer1", "layer2", "layer3", "layer4", "avgpool")


def _sections(text: str) -> tuple[str, ...]:
    given = names(text)
    unknown = [name for name in given if name not in SECTIONS]
    if unknown or not given:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown) or text!r}; accepted: {', '.join(SECTIONS)}")
    return tuple(name for name in SECTIONS if name in given)


@dataclass(frozen=True)
class SpeedOptions(SystemOptions, ReportOptions):
    """Measure the whole system on this machine: about ten minutes, with --quick about one."""

    command = "speed"

    only: tuple[str, ...] = option(SECTIONS, "sections to measure", type=_sections)
    rounds: int = option(3, "of every comparison", quick=1, type=positive)
    frames: int = option(80, "per split point and round", quick=10, type=positive)
    frames_growth: int = option(2000, "for the growth of memory", quick=24, type=positive)
    warm_frames: int = option(16, quick=4)
    split_points: tuple[str, ...] = option(_POINTS, quick=("layer3",))
    engine_calls: int = option(10, quick=2)
    """Per engine and round."""
    pictures: int = option(100, quick=10)
    """Photographs on which the engines' answers are compared."""
    stage_windows: int = option(3, quick=2)
    stage_frames: int = option(80, quick=6)
    clients: tuple[int, ...] = option((1, 4, 16, 64), quick=(4,))
    loads: tuple[float, ...] = option((0.5, 0.8, 0.95), quick=(0.8,))
    """Shares of the closed loop's throughput."""
    load_s: float = option(2.5, quick=0.5)
    load_warm_s: float = option(0.5, quick=0.2)
    bare_points: tuple[str, ...] = option(("layer3", "layer1"), quick=("layer3",))
    """Where the cloud is compared with its own tails."""
    batch_limits: tuple[int, ...] = option((1, 2, 4, 8, 16), quick=(4,))
    starts: int = option(3, quick=1)
