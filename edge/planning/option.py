"""One way to answer a frame, and what it costs on this machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """A split point and a codec. Times are seconds for one frame on this machine, when nothing else runs."""

    split_point: str
    codec: str | None
    """As `make_codec` takes it; None at `output`, where nothing travels."""
    head_s: float
    """Preprocessing and head."""
    encode_s: float
    decode_s: float
    tail_s: float
    """The rest of the network: what the cloud is spared here, and what the edge needs where the cloud does not answer."""
    frame_bytes: float
    """Mean, with the frame's header; 0 at `output`."""
    agreement: float
    """Share of frames whose top class is the unsplit network's, 0 … 1."""
    frames: int
    """How many it was counted on."""

    @property
    def name(self) -> str:
        return f"{self.split_point} {self.codec}" if self.codec else self.split_point

    @property
    def is_local(self) -> bool:
        """Whether nothing travels."""
        return self.codec is None
