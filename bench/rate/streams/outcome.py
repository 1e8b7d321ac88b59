"""What one setting did to one session, frame by frame."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bench.report.spread import percentile
from shared.tasks.classify import divergences

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.rate.streams.plan import Setting
    from bench.rate.streams.session import Sent

MARGIN = 0.1
"""Between a frame's two highest probabilities. Below it the unsplit network's top class is half chance, and says little of a codec."""


@dataclass(eq=False)
class Base:
    """The unsplit network's answers to the frames of a session."""

    classes: list[int] = field(default_factory=list)
    clear: list[bool] = field(default_factory=list)
    """Whether the two highest probabilities are further apart than MARGIN."""

    def add(self, logits: NDArray[np.float32]) -> None:
        """Those of some more frames, (n, K)."""
        self.classes += logits.argmax(1).tolist()
        shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
        likely = np.exp(shifted) / np.exp(shifted).sum(1, keepdims=True)
        second, first = np.sort(likely, 1)[:, -2:].T
        self.clear += (first - second > MARGIN).tolist()


@dataclass(eq=False)
class Outcome:
    """A session's bytes and answers. `base` is filled before it is."""

    setting: Setting
    base: Base
    tail_share: float
    """The share of the network's multiplications that the cloud does: 0 to 1."""
    inter: bool = False
    frame_bytes: list[int] = field(default_factory=list)
    keyframe: list[bool] = field(default_factory=list)
    encode_ms: list[float] = field(default_factory=list)
    """CPU time of the whole process, as `decode_ms`: some encoders have threads of their own."""
    decode_ms: list[float] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    divergences: list[float] = field(default_factory=list)
    """KL(unsplit || split), nats."""

    def sent(self, sent: Sent) -> None:
        """One more frame has travelled."""
        self.frame_bytes.append(sent.bytes)
        self.keyframe.append(sent.keyframe)
        self.encode_ms.append(sent.encode_ms)
        self.decode_ms.append(sent.decode_ms)

    def answered(self, unsplit: NDArray[np.float32], split: NDArray[np.float32]) -> None:
        """The logits (n, K) of some more frames."""
        self.classes += split.argmax(1).tolist()
        self.divergences += divergences(unsplit, split).tolist()

    @property
    def mean_bytes(self) -> float:
        """The first keyframe counted."""
        return statistics.mean(self.frame_bytes)

    @property
    def p95_bytes(self) -> float:
        return percentile(self.frame_bytes, 95)

    def mean_of(self, *, keyframes: bool) -> float | None:
        """Bytes of the keyframes, or of the others; None where a stream has none, or its codec knows no such difference."""
        chosen = [size for size, key in zip(self.frame_bytes, self.keyframe, strict=True) if key == keyframes]
        return statistics.mean(chosen) if chosen and self.inter else None

    @property
    def divergence(self) -> float:
        return statistics.mean(self.divergences)

    @property
    def agreement(self) -> float:
        """Percent of all frames."""
        return 100 * statistics.mean(self._agrees())

    @property
    def clear_agreement(self) -> float | None:
        """Percent of the frames of which the unsplit network is sure; None if there are none."""
        sure = [agrees for agrees, clear in zip(self._agrees(), self.base.clear, strict=True) if clear]
        return 100 * statistics.mean(sure) if sure else None

    def _agrees(self) -> list[bool]:
        return [a == b for a, b in zip(self.classes, self.base.classes, strict=True)]
