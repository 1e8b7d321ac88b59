"""The settings of one camera: of the only one, from the flags, or one of several, from a cameras file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.cameras.fields import (
    CodecName,
    Deadline,
    Frames,
    Grayscale,
    MaxLatency,
    MinAgreement,
    Name,
    ObjectiveKind,
    OpenTimeout,
    PictureSize,
    QueueSize,
    ReadTimeout,
    SnapshotFps,
    Source,
    SplitPointName,
    StillThreshold,
    Threshold,
)
from edge.cameras.shapes import Polygon, Rectangle, as_fractions
from shared.codecs.video.passing import passes_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge.config import EdgeSettings

MAX_MASKS = 64
MAX_SIDE = 32_768


class PlanChoice(NamedTuple):
    """What of the settings decides which plans there are. Cameras with the same share what is compiled."""

    split_point: str | None
    codec: str | None
    compares: bool
    """Whether frames of still scenes are found: not every codec's can be."""


class Aims(NamedTuple):
    """What of the settings decides which of the plans is best. Cameras with the same plans and aims share a pilot."""

    choice: PlanChoice
    objective: Literal["latency", "throughput", "bytes"]
    min_agreement: float
    max_latency: float
    deadline_s: float


class CameraSettings(BaseModel):
    """What one camera does. What a table of the file leaves out is as the flag of that name says."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Name
    source: Source
    fps: Annotated[
        float,
        Field(ge=0, le=1000, description="frames per second to take, evenly, and leave the others; 0: all"),
    ] = 0.0
    size: Annotated[
        tuple[int, int] | None,
        Field(description="[width, height] of the picture in whose pixels `crop`, `zone` and `masks` are"),
    ] = None
    crop: Annotated[
        Rectangle | None,
        Field(
            description="[left, top, right, bottom] of what the network sees, in fractions of the picture or in pixels"
        ),
    ] = None
    zone: Annotated[
        Polygon | None,
        Field(
            description="polygon [[x, y], …]: what lies outside is black, and is cut off where there is no `crop`"
        ),
    ] = None
    masks: Annotated[
        tuple[Polygon, ...],
        Field(
            max_length=MAX_MASKS,
            description="polygons that are blackened as soon as a frame is read: nothing in them leaves the process",
        ),
    ] = ()
    split_point: SplitPointName
    codec: CodecName
    objective: ObjectiveKind
    min_agreement: MinAgreement
    max_latency: MaxLatency
    picture_size: PictureSize
    still_threshold: StillThreshold
    threshold: Threshold
    grayscale: Grayscale
    queue_size: QueueSize
    deadline_s: Deadline
    frames: Frames
    open_timeout_s: OpenTimeout
    read_timeout_s: ReadTimeout
    snapshot_fps: SnapshotFps

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, given: Any) -> Any:
        """TOML has lists where these settings have tuples."""
        return {
            key: tuple(value) if isinstance(value, list) and key in ("size", "masks") else value
            for key, value in given.items()
        }

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.size and not all(0 < side <= MAX_SIDE for side in self.size):
            raise ValueError(f"size {list(self.size)}: accepted: [width, height], each 1 to {MAX_SIDE}")
        self._refuse_passthrough()
        shapes: dict[str, Iterable[Sequence[float]]] = {
            "crop": [self.crop] if self.crop else [],
            "zone": [_flat(self.zone)] if self.zone else [],
            "masks": map(_flat, self.masks),
        }
        for name, values in shapes.items():
            for each in values:
                try:
                    as_fractions(each, self.size)
                except ValueError as error:
                    raise ValueError(f"{name} {list(each)}: {error}") from None
        return self

    def _refuse_passthrough(self) -> None:
        """A camera's own packets show all that it sees, in its own size and colours. Raises ValueError if that is not what travels."""
        if not passes_on(self.codec):
            return
        hiding = [name for name in ("masks", "zone", "crop") if getattr(self, name)]
        if hiding:
            raise ValueError(
                f"codec {self.codec}: with passthrough the camera's own packets travel, which show what {' and '.join(hiding)} would hide; "
                "accepted: passthrough=0, or a camera without masks, zone and crop"
            )
        if self.grayscale:
            raise ValueError(
                f"codec {self.codec}: the camera's own packets are in colour; accepted: passthrough=0, or grayscale=false"
            )
        if self.picture_size != "source":
            raise ValueError(
                f"codec {self.codec}: the camera's own packets have its own size; accepted: passthrough=0, or picture_size=source"
            )

    @property
    def choice(self) -> PlanChoice:
        """The plans that there are for this camera."""
        return PlanChoice(self.split_point, self.codec, self.still_threshold > 0)

    @property
    def planned_with(self) -> dict[str, Any]:
        """What decides the plans, by the names of the edge's settings."""
        names = ("source", "grayscale", "split_point", "codec", "still_threshold")
        return {name: getattr(self, name) for name in names}

    @property
    def aims(self) -> Aims:
        """Which of them is best."""
        return Aims(self.choice, self.objective, self.min_agreement, self.max_latency, self.deadline_s)

    @property
    def places(self) -> tuple[list[float] | None, list[float] | None, list[list[float]]]:
        """Crop, zone and masks, each x, y, x, y, … in fractions of the picture."""
        crop, zone = (
            None if each is None else as_fractions(each, self.size)
            for each in (self.crop, _flat(self.zone) if self.zone else None)
        )
        return crop, zone, [as_fractions(_flat(each), self.size) for each in self.masks]


def inherited(settings: EdgeSettings) -> dict[str, Any]:
    """What a camera has of the flags, by the name of the setting."""
    names = set(CameraSettings.model_fields) & set(type(settings).model_fields)
    return {name: getattr(settings, name) for name in names}


def _flat(polygon: tuple[tuple[float, float], ...]) -> list[float]:
    return [value for corner in polygon for value in corner]
