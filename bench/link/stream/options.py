"""What `python -m bench link --stream` measures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.harness.options import DATA, ModelOptions, first_file, option, positive
from bench.harness.system import Setup
from bench.link.stream.choices import HTTP, SESSION, Choice, Way
from bench.link.stream.conditions import Condition

_VIDEOS = DATA / "videos"
_CLIPS = tuple(
    found
    for name in ("bottle-detection", "car-detection")
    if (found := first_file(_VIDEOS / f"{name}.mp4", ""))
)
_CHOICES = (
    "layer3/calibrated@2.3 layer3/calibrated-inter:interval=200,sticky=50@2.8 "
    "layer3.4/calibrated@2.3 layer3.4/calibrated-inter:interval=200,sticky=0@2.3 layer3.4/calibrated-inter:interval=200,sticky=50@2.8 "
    "input/h264:quality=25,interval=200 input/jpeg:quality=50,subsampling=2 avgpool/calibrated@0.6 output"
)
"""`layer3` leaves 19.8 % of ResNet-50's multiplications to the cloud, and `layer3.4`, a block earlier, 25.2 %."""
_QUICK = "avgpool/calibrated@0.6"


@dataclass(frozen=True)
class StreamOptions(ModelOptions):
    """Streams over thin links: a live camera, an edge, an emulated link and a cloud, for every clip, link, choice and way.

    An hour and a quarter, with --quick under two minutes; it says how long beforehand. Edge and cloud have a core each where there are two.
    """

    command = "link --stream"

    stream: bool = option(False, "this report")
    resume: bool = option(False, "go on with a run of the same options that was interrupted")
    clips: tuple[str, ...] = option(
        _CLIPS,
        "videos; what is fitted, is fitted to their first half, and the rest is played",
        quick=_CLIPS[:1],
    )
    fps: float = option(0.0, "pictures a second; 0: the clip's own", quick=10.0)
    links: tuple[str, ...] = option(
        ("50/200", "50/600", "200/200", "200/600", "lte", "geo"),
        "kbit/s and round trip in ms, `free`, or a trace: lte, starlink, geo",
        quick=("50/200",),
    )
    loss: float = option(5.0, "percent of segments that are lost, on the links that are not traces")
    stall_ms: float = option(0.0, "what each of them costs; 0: a round trip and 200 ms, as Linux")
    choices: str = option(
        _CHOICES, "what is sent, with blanks between: POINT/CODEC, POINT/CODEC@STEP, output", quick=_QUICK
    )
    ways: tuple[str, ...] = option((HTTP, SESSION), "of http and session")
    overhead: str = option(
        "avgpool/calibrated@0.6",
        "what is sent to see what a frame costs above its payload, at 10 frames/s; empty: nothing",
    )
    deadline_s: float = option(0.7, "of the edge for the cloud's answer")
    in_flight: int = option(4, "frames under way at once", type=positive)
    warm_s: float = option(6.0, "before anything is counted", quick=1.5)
    seconds: float = option(16.0, "of each cell", quick=4.0)
    seed: int = option(0, "of the links")
    profiles: Path | None = option(
        None,
        "folder where fitted profiles are kept and looked for (default: they are fitted anew)",
        type=Path,
    )
    edge_flags: str = option("", "more flags of the edge, with blanks between")
    cloud_flags: str = option("", "more flags of the cloud")

    def wrong(self) -> str | None:
        try:
            self.chosen()
            self.conditions()
        except ValueError as error:
            return str(error)
        if unknown := set(self.ways) - {HTTP, SESSION}:
            return f"--ways: {', '.join(sorted(unknown))}; accepted are {HTTP} and {SESSION}"
        if not self.clips or not all(Path(clip).is_file() for clip in self.clips):
            return f"--clips: {', '.join(self.clips) or 'none'}: not all are files"
        if (
            not 0 <= self.loss <= 100
            or self.stall_ms < 0
            or self.fps < 0
            or min(self.seconds, self.warm_s) <= 0
        ):
            return "--loss is 0 to 100 percent, --stall-ms and --fps are not below 0, --seconds and --warm-s are above 0"
        return None

    def chosen(self) -> list[Choice]:
        """Raises ValueError."""
        return [Choice.read(text) for text in self.choices.split()]

    def conditions(self) -> list[Condition]:
        """Raises ValueError."""
        stall = self.stall_ms / 1e3 or None
        return [Condition.read(text, self.loss / 100, stall) for text in self.links]

    def wanted_ways(self) -> tuple[Way, ...]:
        return tuple(way for way in (HTTP, SESSION) if way in self.ways)

    @property
    def setup(self) -> Setup:
        """One thread each: each has a core. In float32, in which a tail gives the same however it is put together: what differs is wrong."""
        return Setup(self.weights, self.clips[0], threads=1, precision="float32", model=self.model)
