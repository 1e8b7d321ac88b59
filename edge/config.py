"""The edge's settings: those of a run, and those of `python -m edge calibrate`."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from shared.settings import CommonSettings

# What running, calibrating and one camera of several (edge/cameras/settings.py) have in common is declared once, but not in a common
# base class: it would change the order of the flags in --help and of the settings in the README.
Name = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        description="the camera's name in records, metrics and logs: letters, digits and `_ . -`",
    ),
]
Source = Annotated[
    str,
    Field(
        description="a video file, a folder of pictures, a webcam's number, an `rtsp://` or `http://` URL (also of a single picture), "
        "`synthetic` (`synthetic:fps=10,frames=300,width=640,height=480`), or a source of an installed package by its name"
    ),
]
SplitPointName = Annotated[
    str | None,
    Field(
        description="where the network is cut (see `--list-split-points`); `auto` lets the planner choose continually, which "
        "includes sending pictures or nothing at all; by default the smallest tensor with at most 85 % of the work before it "
        "(ResNet-50: `layer3`)"
    ),
]
CodecName = Annotated[
    str | None,
    Field(
        description="how the tensors travel: `float32`, `float16` or `int8`, each also with `+zstd`; at the split point "
        "`input` `jpeg:quality=90,subsampling=0` (0: 4:4:4, 1: 4:2:2, 2: 4:2:0), `webp:quality=90,method=4` (0: fast, "
        "6: small), `png` or `raw`; or `calibrated`, which needs the fewest bytes; `auto` lets the planner choose, and the "
        "split point too unless it is set. By default `int8+zstd`, and `jpeg` at `input`; with `--split-point auto` the planner "
        "chooses"
    ),
]
ObjectiveKind = Annotated[
    Literal["latency", "throughput", "bytes"],
    Field(
        description="what the planner optimises: `latency` of a frame, `throughput` (frames per second), or `bytes` per frame"
    ),
]
MinAgreement = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="the planner takes only codecs whose answers have at least this much in common with the unsplit network's: the "
        "share of frames with the same top class; of boxes, the F1 score of those with the same class and place",
    ),
]
MaxLatency = Annotated[
    float,
    Field(
        ge=0,
        le=600,
        description="seconds that the planner allows from a frame's capture to its answer, not counting the edge's own queues; "
        "0: no limit",
    ),
]
PictureSize = Annotated[
    Literal["network", "source"],
    Field(
        description="size of the pictures sent at `input`: `network`, or `source`, the camera's own (at most 5.5 megapixels), which "
        "the cloud then resizes"
    ),
]
StillThreshold = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="if a smaller share of its symbols than this changed since the last frame sent, a frame is not sent, and that "
        "frame's answer is repeated (for 5 s at most); with `int8`, `int8+zstd` and `calibrated`. 0: every frame is sent",
    ),
]
Threshold = Annotated[
    float | None,
    Field(
        ge=0,
        le=1,
        description="score from which a detector's box counts, 0 to 1; by default the bundle's own",
    ),
]
Grayscale = Annotated[bool, Field(description="make the three channels equal, as from a grey camera")]
QueueSize = Annotated[
    int, Field(ge=1, le=1024, description="how many frames may wait for the head, and for the uplink")
]
Deadline = Annotated[
    float,
    Field(gt=0, le=600, description="how long the cloud has for a frame before the edge finishes it itself"),
]
Frames = Annotated[int, Field(ge=0, description="stop after so many frames; 0: at the end of the source")]
OpenTimeout = Annotated[float, Field(gt=0, le=600, description="how long a live source may take to open")]
ReadTimeout = Annotated[float, Field(gt=0, le=600, description="how long a live source may take for a frame")]
SnapshotFps = Annotated[
    float,
    Field(
        ge=0.01,
        le=30,
        description="pictures asked for a second where an `http://` URL gives one picture a request",
    ),
]


class EdgeSettings(CommonSettings):
    """Flags and `SPLITDNN_*` variables of `python -m edge`."""

    name: Name = "camera"
    source: Source = "synthetic"
    cameras: str | None = Field(
        None,
        description="TOML file of several cameras for this one edge, in place of a source and a name (docs/cameras.md)",
    )
    cloud_url: str = Field("http://127.0.0.1:8881", description="where the cloud listens")
    split_point: SplitPointName = None
    codec: CodecName = None
    profile: str | None = Field(
        None,
        description="file that `python -m edge calibrate` wrote, for the codec `calibrated`; without one, a profile is fitted "
        "to drawn frames at the start. The planner takes a folder of such files as well, and never fits one itself",
    )
    objective: ObjectiveKind = "latency"
    min_agreement: MinAgreement = 0.95
    max_latency: MaxLatency = 0.0
    explore_s: float = Field(
        0.5,
        ge=0,
        le=3600,
        description="seconds between two frames that are sent only to measure the link, while the plan's own frames do not "
        "measure it; 0: none are sent, and a plan that sends nothing is never abandoned",
    )
    picture_size: PictureSize = "network"
    still_threshold: StillThreshold = 0.0
    top: int = Field(5, ge=1, le=1000, description="how many classes a record holds")
    threshold: Threshold = None
    grayscale: Grayscale = False
    queue_size: QueueSize = 2
    in_flight: int = Field(
        4,
        ge=1,
        le=256,
        description="how many requests may be under way at once; of several cameras each has one more of its own",
    )
    deadline_s: Deadline = 2.0
    verify_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the cloud's answers that the edge computes again beside the frames and compares, so that a cloud which "
        "computes wrongly, or lies, is found; each costs a tail",
    )
    frames: Frames = 0
    results: str | None = Field(
        None,
        description="file for one JSON record per frame, one a line, or `-` for stdout; `{hostname}` in it becomes the host's "
        "name, and `{camera}` the camera's. Records of a camera are added to the file, those of a recording replace it",
    )
    results_max_bytes: int = Field(
        0,
        ge=0,
        le=2**50,
        description="a file of records gets no longer: it is renamed to `NAME-TIME.jsonl` and another is begun; 0: no limit",
    )
    results_max_age_s: float = Field(
        0.0,
        ge=0,
        le=10 * 365 * 86400,
        description="so is one whose first record is so old; 0: no limit",
    )
    results_keep: int = Field(
        14,
        ge=1,
        le=10_000,
        description="how many files of records are kept besides the current one, where one of the two limits is set; none is kept "
        "for longer than so many times `results_max_age_s`",
    )
    show: Literal["frames", "changes", "quiet"] = Field(
        "frames",
        description="what to print: `frames` (a line for each), `changes` (a progress line, and the answer whenever it "
        "changes), or `quiet`",
    )
    at_end: Literal["exit", "stay"] = Field(
        "exit",
        description="what to do at the end of the source: `exit`, or `stay`, so that the metrics can be read",
    )
    status_address: str = Field("127.0.0.1", description="address of `/metrics`, `/healthz` and `/readyz`")
    status_port: int = Field(
        8882, ge=0, le=65535, description="port of `/metrics`, `/healthz` and `/readyz`; 0 takes a free one"
    )
    open_timeout_s: OpenTimeout = 10.0
    read_timeout_s: ReadTimeout = 10.0
    snapshot_fps: SnapshotFps = 1.0

    @field_validator("cloud_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError("not a URL such as http://cloud:8881")
        return value.rstrip("/")


class CalibrationSettings(CommonSettings):
    """Flags of `python -m edge calibrate`; settings that it shares with the edge are read from the edge's variables too."""

    source: Source = "synthetic"
    profile: str | None = Field(
        None, description="file to write; by default `<model>-<split point>.safetensors` in this folder"
    )
    target_agreement: float = Field(
        0.95,
        gt=0,
        le=1,
        description="how much of the unsplit network's answers is to be kept: for classes, the share of frames with its top class; for "
        "boxes, F1",
    )
    frames: int = Field(200, ge=24, le=2000, description="frames to calibrate with, spread over the source")
    grayscale: Grayscale = False
    open_timeout_s: OpenTimeout = 10.0
    read_timeout_s: ReadTimeout = 10.0
