"""What the planner may choose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """A split point and a codec, and what they cost. Times are seconds for one frame on this machine, when nothing else runs."""

    split_point: str
    codec: str | None
    """As `make_codec` takes it; None at `output`, where nothing travels."""
    head_s: float
    """Preprocessing and head."""
    encode_s: float
    decode_s: float
    tail_s: float
    """The rest of the network: what this machine would take if the cloud does not answer."""
    frame_bytes: float
    """Mean of the payloads, without what is around them; 0 at `output`. With a codec of streams, of frames that need the one before."""
    agreement: float
    """What the answers have in common with the unsplit network's, 0 … 1: of classes, the share of frames with the same top class."""
    frames: int
    """How many it was counted on."""
    keyframe_bytes: float = 0.0
    """With a codec of streams, the same of frames that need no other; else 0."""
    interval: int = 0
    """With a codec of streams, frames from one keyframe to the next, at most; 0: each frame stands for itself."""

    @property
    def name(self) -> str:
        return f"{self.split_point} {self.codec}" if self.codec else self.split_point

    @property
    def is_local(self) -> bool:
        """Whether nothing travels."""
        return self.codec is None

    @property
    def is_inter(self) -> bool:
        """Whether most frames need the one before them."""
        return self.interval > 0
