"""A network cut in two: what the edge does with a picture and what the cloud does with its frame, step by step."""

from __future__ import annotations

import itertools
import secrets
from typing import TYPE_CHECKING, Any

from cloud.bodies.frames import Checked, check_frame, decode_frame, is_video, work_with
from shared.codecs import encode_frame
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.coding import decode_tensors
from shared.errors import CodecError, FingerprintError, ShapeError
from shared.wire.frame import Frame, unpack
from splitdnn.checks import check_tensor, check_tensors
from splitdnn.whole import WholeNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from cloud.batching.crossing import Crossing
    from edge.planning.plan import Plan
    from shared.codecs.base import Codec
    from shared.engines.half import Tensors
    from shared.engines.load import Network as Loaded
    from shared.network.partition import SplitPoint
    from shared.tasks.base import Answer
    from shared.wire.frame import Bytes


class SplitNetwork(WholeNetwork):
    """One network at one split point, with one codec; made by `Network.split`.

    picture -> `prepare` -> `head` -> `encode` -> Frame -> `decode` -> `tail` -> `answer`

    `to_frame` is the edge's side of this way and `answer_frame` the cloud's. May be used from several threads at once, unless
    its codec remembers something between frames, which no built-in codec does.
    """

    def __init__(self, loaded: Loaded, plan: Plan) -> None:
        super().__init__(loaded)
        self._plan = plan
        self._frame_ids = itertools.count(secrets.randbits(32) << 32)

    @property
    def point(self) -> SplitPoint:
        """Where the network is cut."""
        return self._plan.split_point

    @property
    def codec(self) -> Codec | None:
        """How the crossing becomes bytes; None at `output`, where nothing travels."""
        return self._plan.codec

    def head(self, tensor: NDArray[np.float32]) -> Crossing:
        """(B, C, h, w) float32 -> the crossing, a tuple of (B, *shape) float32 for `point.shapes`. Raises ShapeError."""
        check_tensor("the head", tensor, self.recipe.tensor_shape)
        return self.point.values(self._plan.head((tensor,)))

    def encode(self, crossing: Crossing, *, frame_id: int | None = None) -> Frame:
        """The crossing of one picture, a tuple of (1, *point.shape) float32, as a frame.

        `frame_id`, 64 bits, is counted up from a random start unless it is given. Raises ShapeError; ContentError for
        values that are not finite; CodecError if the codec carries pictures (`to_frame` takes those) or nothing travels.
        """
        codec = self._require_codec()
        if codec.carries == "picture":
            raise CodecError(f"codec {codec.name} carries pictures, not tensors: call to_frame(picture)")
        check_tensors(self.point.name, crossing, self.point.shapes, one=True)
        return self._frame([tensor[0] for tensor in crossing], codec, frame_id)

    def decode(self, frame: Frame | Bytes) -> Crossing:
        """A frame of this network and split point, packed or not -> its crossing, a tuple of (1, *point.shape) float32.

        A picture comes out as the network's input. Frames of every codec are decoded; one of the codec `calibrated`
        needs this side's profile to be the sender's. Raises WireError, FingerprintError, SplitPointError or ShapeError.
        """
        frame = frame if isinstance(frame, Frame) else unpack(frame)
        if frame.fingerprint != self.fingerprint:
            raise FingerprintError(
                f"this frame was made for another network (fingerprint {frame.fingerprint.hex()}); this one is "
                f"{self.fingerprint.hex()}",
                accepted={"fingerprint": self.fingerprint.hex()},
            )
        checked = check_frame(frame, self._loaded.partition)
        if frame.split_point != self.point.name:
            raise ShapeError(
                f"this frame crossed at {frame.split_point}, and this network is cut at {self.point.name}"
            )
        if isinstance(checked.codecs[0], Calibrated) and isinstance(self.codec, Calibrated):
            codecs = tuple(self.codec.of_tensor(number) for number in range(len(frame.tensors)))
            checked = Checked(frame, codecs)
        if is_video(checked):  # a cloud does that in a process of its own: docs/video-codecs.md
            arrays = decode_tensors(frame, checked.codecs)
            return self.point.values(work_with(checked, self._loaded.model, arrays).crossing)
        return self.point.values(decode_frame(checked, self._loaded.model).crossing)

    def tail(self, crossing: Crossing) -> Tensors:
        """The crossing, a tuple of (B, *shape) float32 -> the outputs, a tuple of (B, …) float32. Raises ShapeError."""
        check_tensors(self.point.name, crossing, self.point.shapes)
        return self._plan.tail(crossing)

    def to_frame(self, picture: NDArray[np.uint8], *, frame_id: int | None = None) -> Frame:
        """The edge's side: (H, W, 3) uint8 RGB -> a frame. Raises ShapeError, ContentError or CodecError."""
        codec = self._require_codec()
        if codec.carries == "picture":
            return self._frame([self._resize(picture)], codec, frame_id)
        return self._frame([each[0] for each in self._plan.head((self.prepare(picture),))], codec, frame_id)

    def answer_frame(self, frame: Frame | Bytes, *, top: int = 5, threshold: float | None = None) -> Answer:
        """The cloud's side: a frame -> its answer. Raises what `decode` and `answer` raise."""
        return self.answer(self.tail(self.decode(frame)), top=top, threshold=threshold)

    def _frame(self, crossing: Sequence[NDArray[Any]], codec: Codec, frame_id: int | None) -> Frame:
        return encode_frame(
            crossing,
            codec,
            split_point=self.point.name,
            fingerprint=self.fingerprint,
            frame_id=next(self._frame_ids) if frame_id is None else frame_id,
        )

    def _require_codec(self) -> Codec:
        if self.codec is None:
            raise CodecError(f"nothing travels at {self.point.name}: there is no frame to encode")
        return self.codec
