"""What went wrong since the start, in words: the page shows what has happened at all, with its count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.metrics import FALLBACKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edge.cameras.metrics import CameraMetrics
    from edge.metrics import EdgeMetrics
    from shared.observing.counting.counter import Counter

FINISHED_HERE = {
    "circuit_open": "finished here while the cloud was away",
    "unreachable": "finished here: the cloud could not be reached",
    "untrusted": "finished here: the cloud's certificate is not trusted",
    "late": "finished here: the answer came too late",
    "busy": "finished here: the cloud was busy",
    "refused": "finished here: the cloud refused the frame",
    "unauthorized": "finished here: the cloud refused the token",
    "damaged": "finished here: the cloud's answer was damaged",
    "profile": "finished here: the cloud lacked the profile",
    "state": "finished here: the frame before it was lost",
    "encode": "finished here: the frame could not be encoded",
    "budget": "finished here: the hour's data budget was spent",
    "explore": "finished here: sent only to measure the link",
}
"""By reason, one of edge/metrics.py's FALLBACKS."""
_HARMLESS = ("explore",)


def faults(metrics: EdgeMetrics, cameras: Mapping[str, CameraMetrics]) -> list[tuple[str, int, bool]]:
    """What has happened: a few words, how often, and whether it is a fault at all."""
    found = [
        (FINISHED_HERE[reason], _sum(metrics.fallbacks, cameras, reason), reason not in _HARMLESS)
        for reason in FALLBACKS
    ]
    own = cameras.values()
    found += [
        ("frames dropped to keep up", sum(int(each.frames("dropped").value()) for each in own), True),
        ("frames without an answer", sum(int(each.frames("failed").value()) for each in own), True),
        ("pictures that could not be decoded", sum(each.undecodable for each in own), True),
        ("damaged frames", sum(int(each.damaged_frames.value()) for each in own), True),
        ("records that could not be written", int(metrics.result_errors.labels().value()), True),
    ]
    return [each for each in found if each[1]]


def _sum(counter: Counter, cameras: Iterable[str], reason: str) -> int:
    return sum(int(counter.labels(camera=camera, reason=reason).value()) for camera in cameras)
