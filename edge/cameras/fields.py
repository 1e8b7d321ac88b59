"""The fields of settings that running, calibrating and one camera of several have in common."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

# Not a common base class: it would change the order of the flags in --help and of the settings in the README.
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
        description="a video, a picture, a folder or a pattern of them, a webcam's number, an `rtsp://` or `http://` URL (also of single pictures), "
        "`synthetic` (`synthetic:fps=10,frames=300,width=640,height=480`), or a source of an installed package by its name"
    ),
]
HeadWorkers = Annotated[
    int,
    Field(
        ge=1,
        le=64,
        description="heads that run at once, each of another frame, sharing the threads, and at most as many: more frames a second, each of which "
        "takes longer",
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
        description="how the tensors travel: `float32`, `float16`, `int8` or, of int8 networks, `uint8`, each also with `+zstd`; at the split point "
        "`input` `jpeg:quality=90,subsampling=0` (0: 4:4:4, 1: 4:2:2, 2: 4:2:0), `webp:quality=90,method=4` (0: fast, "
        "6: small), `png` or `raw`, and `h264:quality=23,interval=50` or `h265` (1 to 51, low is good; a keyframe at least every so many) and `av1:quality=35` (1 to 63), which send a video "
        "while there is a session; `h264:passthrough=1`: the camera's own packets where they fit (docs/video-codecs.md); or `calibrated`, which needs the fewest bytes, and `calibrated-inter:interval=50,sticky=0`, its form for sessions; `auto` lets the planner choose, and the "
        "split point too unless it is set. By default `int8+zstd`, `uint8+zstd` where an int8 network has rounded what crosses itself, and `jpeg` at `input`; with `--split-point auto` the planner "
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
        "frame's answer is repeated (for 5 s at most); with `int8`, `uint8`, these with `+zstd`, and `calibrated`. 0: every frame is sent",
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
