"""Settings of `python -m edge calibrate`."""

from __future__ import annotations

from pydantic import Field

from shared.settings import CommonSettings


class CalibrationSettings(CommonSettings):
    """Flags; those that the edge has as well are read from its `SPLITDNN_*` variables too."""

    source: str = Field(
        "synthetic",
        description="what the camera sees: a video, a folder of pictures, a webcam's number, a stream or `synthetic`",
    )
    profile: str | None = Field(
        None, description="file to write; by default `<model>-<split point>.safetensors` in this folder"
    )
    target_agreement: float = Field(
        0.95, gt=0, le=1, description="share of frames that shall keep the top class of the unsplit network"
    )
    frames: int = Field(200, ge=24, le=2000, description="frames to calibrate with, spread over the source")
    grayscale: bool = Field(False, description="three equal channels, as a grey camera gives")
    open_timeout_s: float = Field(10.0, gt=0, le=600, description="how long a live source may take to open")
    read_timeout_s: float = Field(
        10.0, gt=0, le=600, description="how long a live source may take for a frame"
    )
