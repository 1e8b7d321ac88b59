"""A still scene is not sent: the answer to the frame sent last is repeated for as long as it holds.

A frame is compared with the last one that was sent, never with one that was skipped, so a slow drift adds up and is noticed.
It repeats that frame's answer if it differs by less than the threshold, if the answer exists or may still come, and if it is
not too old. The frames that are sent stay whole: each can be decoded by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge.frames.ruler import Reading, Ruler, ruler_factory, share_changed
from edge.frames.way import PendingAnswer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.frames.way import Origin
    from shared.codecs.base import Codec

LONGEST_S = 5.0
"""Between a frame and the one it repeats. A change that no threshold notices is sent at the latest then."""


class Comparison(NamedTuple):
    """A frame against the last one sent."""

    repeats: PendingAnswer | None = None
    """The answer to that frame, if it is the answer to this one as well."""
    changed: float | None = None
    """Share of its symbols that changed, 0 … 1; None if the two were not compared."""


class Stillness:
    """Compares the frames of one source. Used by the thread that encodes."""

    def __init__(self, codec: Codec | None, threshold: float, *, longest_s: float = LONGEST_S) -> None:
        """`threshold`: the share of changed symbols, 0 … 1, from which a frame is sent; with 0 every frame is.

        Raises SettingsError if this codec's symbols cannot be compared.
        """
        self._threshold = threshold
        self._longest_s = longest_s
        self._make_ruler = ruler_factory(codec) if threshold else None
        self._reference: tuple[PendingAnswer, Ruler, Reading] | None = None

    def compare(self, tensor: NDArray[np.float32], origin: Origin) -> Comparison:
        """A frame's crossing tensor, without the batch dimension, against that of the last frame sent."""
        if self._reference is None:
            return Comparison()
        pending, ruler, reading = self._reference
        if pending.lost or origin.captured_s - pending.origin.captured_s > self._longest_s:
            return Comparison()
        with origin.watch.step("compare"):
            # No margin is below a difference to NaN. The frame is sent, and the codec says what is wrong with it.
            if not np.isfinite(tensor).all():
                return Comparison()
            changed = share_changed(reading, ruler(tensor), ruler.margin)
        return Comparison(pending if changed < self._threshold else None, changed)

    def sending(self, tensor: NDArray[np.float32], origin: Origin) -> PendingAnswer | None:
        """Compare later frames with this one, which is sent.

        Returns its answer, to be settled once it is known; None if frames are not compared.
        """
        if self._make_ruler is None:
            return None
        with origin.watch.step("compare"):
            ruler = self._make_ruler(tensor)
            pending = PendingAnswer(origin)
            self._reference = pending, ruler, ruler(tensor)
        return pending
