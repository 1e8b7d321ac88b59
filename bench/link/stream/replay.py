"""A stream once more: both sides of it, over no link, from the pictures that the edge saw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.frames.preprocess import Preprocess
from shared.codecs.coding import decode_tensors, encode_frame
from shared.network.recipes.resize import fit_picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bench.harness.network import Network
    from edge.planning.plan import Plan
    from shared.engines.half import Tensors
    from shared.wire.frame import Frame

_MOST_FORGETS = 40


class Replay:
    """Both sides of one stream."""

    def __init__(
        self,
        network: Network,
        plan: Plan,
        crossings: dict[tuple[str, int], Tensors],
        *,
        source_size: bool,
    ) -> None:
        assert plan.codec is not None, "nothing travels at `output`"
        self._model, self._plan, self._crossings = network.model, plan, crossings
        self._codec = plan.codec
        self._encoder, self._decoder = plan.codec.for_stream(), plan.codec.for_stream()
        self._preprocess = Preprocess(self._model.recipe, source_size=source_size)

    def forgets(self, sent: Sequence[tuple[NDArray[np.uint8], int]]) -> set[int]:
        """Before which of the frames (picture, bytes) a video encoder was told that the next one must be a keyframe.

        That is not recorded, but seen: the bytes are others than those of a frame that follows. A video encoder that was asked for such a frame
        by mistake never makes the right one again, so it begins anew each time that one more is found.
        """
        found: set[int] = set()
        if not (self._codec.inter and self._codec.carries == "picture"):
            return found
        for _ in range(_MOST_FORGETS):
            place = self._first_unlike(sent, found)
            if place is None or place in found:
                break
            found.add(place)
        return found

    def _first_unlike(self, sent: Sequence[tuple[NDArray[np.uint8], int]], forgets: set[int]) -> int | None:
        stream = self._codec.for_stream()
        for place, (picture, payload_bytes) in enumerate(sent):
            if place in forgets:
                stream.forget()
            outgoing = self._preprocess.outgoing(picture, self._preprocess(picture))
            if len(stream.encode(outgoing).payload) != payload_bytes:
                return place
        return None

    def run(
        self, number: int, picture: NDArray[np.uint8], payload_bytes: int, *, forgets: bool = False
    ) -> Tensors | None:
        """What the cloud's tail is given; None if the edge made another number of bytes of it."""
        sent = self._outgoing(number, picture)
        if forgets:
            self._encoder.forget()
        frame = self._encoded(sent)
        if frame.payload_bytes != payload_bytes:  # a keyframe that the cloud, or a break, asked for
            self._encoder.forget()
            frame = self._encoded(sent)
        decoders = [self._decoder.of_tensor(number) for number in range(len(frame.tensors))]
        arrays = decode_tensors(frame, decoders, self._plan.split_point.grids)
        if frame.payload_bytes != payload_bytes:
            return None
        if self._encoder.carries == "picture":
            recipe = self._model.recipe
            whole = arrays[0] if arrays[0].shape == recipe.picture_shape else fit_picture(arrays[0], recipe)
            return (recipe.normalise(whole)[None],)
        return tuple(array[None] for array in arrays)

    def first(self, number: int, picture: NDArray[np.uint8]) -> Frame:
        """A frame that needs no other."""
        self._encoder.forget()
        return self._encoded(self._outgoing(number, picture))

    def _outgoing(self, number: int, picture: NDArray[np.uint8]) -> Sequence[NDArray[Any]]:
        if self._encoder.carries == "picture":
            return [self._preprocess.outgoing(picture, self._preprocess(picture))]
        return [each[0] for each in self._crossing(number, picture)]

    def _crossing(self, number: int, picture: NDArray[np.uint8]) -> Tensors:
        key = f"{self._plan.split_point.name} {self._encoder.carries}", number
        if key not in self._crossings:
            tensor = self._model.recipe.normalise(self._preprocess(picture))[None]
            self._crossings[key] = kept(self._plan.head((tensor,)))
        return self._crossings[key]

    def _encoded(self, sent: Sequence[NDArray[Any]]) -> Frame:
        return encode_frame(
            sent,
            self._encoder,
            split_point=self._plan.split_point.name,
            fingerprint=self._model.fingerprint,
            frame_id=0,
        )


def kept(tensors: Tensors) -> Tensors:
    """A copy: an engine writes into the same memory again."""
    return tuple(np.array(each) for each in tensors)
