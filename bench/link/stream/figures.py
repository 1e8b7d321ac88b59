"""The figures of one cell, computed from its records, its counts and its judgement. Arithmetic only."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bench.link.stream.judge import Judged, Sent
from bench.report.spread import percentile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.link.stream.clip import Clip
    from bench.link.stream.run import Stretch


@dataclass(frozen=True)
class Figures:
    """What the frames answered in the stretch come to; None where there is nothing to compute it of."""

    seconds: float
    answers: int
    by_cloud: int
    read: int
    """In the whole run, as the next three."""
    dropped: int
    lost: int
    wrong: int
    not_judged: int
    """Frames of the cloud that could not be coded once more."""
    age_p50_ms: float | None
    """From capture to answer, whoever answered."""
    age_p95_ms: float | None
    cloud_age_p50_ms: float | None
    cloud_age_p95_ms: float | None
    macs_share: float
    """Multiplications in the cloud, over all of the answered frames."""
    divergence: float | None
    """Mean KL of the cloud's answers to the unsplit network."""
    agreement: float | None
    payload_bytes: int
    """Those of the frames that the cloud answered: what was sent in vain is overhead."""
    up_bytes: int
    down_bytes: int
    header_bytes: int
    """TCP's and IP's, computed."""
    before_bytes: int
    """At the sockets before the stretch."""
    cpu_ms: float
    """Both processes', for each answer."""

    @property
    def answers_per_s(self) -> float:
        return self.answers / self.seconds

    @property
    def cloud_per_s(self) -> float:
        return self.by_cloud / self.seconds

    @property
    def cloud_share(self) -> float | None:
        return self.by_cloud / self.answers if self.answers else None

    @property
    def socket_bytes(self) -> int:
        return self.up_bytes + self.down_bytes

    @property
    def over_payload(self) -> float | None:
        """Bytes at the sockets, both ways, over those of the payload."""
        return self.socket_bytes / self.payload_bytes if self.payload_bytes else None

    @property
    def all_over_payload(self) -> float | None:
        """The same with the headers of TCP and IP."""
        return (self.socket_bytes + self.header_bytes) / self.payload_bytes if self.payload_bytes else None

    @property
    def overhead_bytes(self) -> float | None:
        """Above the payload, for each frame that the cloud answered, both ways."""
        return (self.socket_bytes - self.payload_bytes) / self.by_cloud if self.by_cloud else None

    @property
    def frame_bytes(self) -> float | None:
        """Payload of a frame, on average."""
        return self.payload_bytes / self.by_cloud if self.by_cloud else None

    def kept(self) -> dict[str, Any]:
        """As JSON, of which `Figures(**...)` makes the same."""
        return asdict(self)


def sent_of(records: Sequence[dict[str, Any]], clip: Clip, fps: float) -> list[tuple[dict[str, Any], Sent]]:
    """The frames that were encoded, in that order, as the judge takes them."""
    found = []
    for record in records:
        if record["payload_bytes"]:
            answered = record["answered_by"] == "cloud" and record.get("top")
            top = (record["top"][0]["class_id"], record["top"][0]["probability"]) if answered else None
            picture = clip.picture_at(record["media_time_s"] or 0.0, fps)
            found.append((record, Sent(picture, record["payload_bytes"], top)))
    return found


def figures(stretch: Stretch, judged: Sequence[tuple[dict[str, Any], Judged]], macs: float) -> Figures:
    """`judged`: the records of `sent_of` with what the judge says of each; `macs`: the share left to the cloud at its split point."""
    counted = stretch.counted
    by_cloud = [each for each in counted if each["answered_by"] == "cloud"]
    within = {each["frame"] for each in by_cloud}
    of_cloud = [(record, found) for record, found in judged if record["answered_by"] == "cloud"]
    known = [found for record, found in of_cloud if record["frame"] in within and found.same_bytes]
    payloads = [each["payload_bytes"] for each in by_cloud]
    ages, cloud_ages = ([each["latency_ms"] for each in some] for some in (counted, by_cloud))
    return Figures(
        seconds=stretch.seconds,
        answers=len(counted),
        by_cloud=len(by_cloud),
        read=stretch.read,
        dropped=stretch.dropped,
        lost=stretch.lost,
        wrong=sum(found.wrong for _, found in of_cloud),
        not_judged=sum(not found.same_bytes for _, found in of_cloud),
        age_p50_ms=percentile(ages, 50) if ages else None,
        age_p95_ms=percentile(ages, 95) if ages else None,
        cloud_age_p50_ms=percentile(cloud_ages, 50) if cloud_ages else None,
        cloud_age_p95_ms=percentile(cloud_ages, 95) if cloud_ages else None,
        macs_share=macs * len(by_cloud) / len(counted) if counted else 0.0,
        divergence=_mean([found.divergence for found in known]),
        agreement=_mean([found.agrees for found in known]),
        payload_bytes=sum(payloads),
        up_bytes=stretch.counts.up_bytes,
        down_bytes=stretch.counts.down_bytes,
        header_bytes=stretch.counts.header_bytes,
        before_bytes=stretch.before.socket_bytes,
        cpu_ms=1e3 * sum(stretch.cpu_s.values()) / max(1, len(counted)),
    )


def _mean(values: Sequence[float | bool | None]) -> float | None:
    there = [float(each) for each in values if each is not None]
    return statistics.mean(there) if there else None
