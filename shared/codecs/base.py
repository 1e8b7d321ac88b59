"""The base class of codecs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import prod
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from shared.errors import ContentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shared.wire.frame import Bytes


STATE_BYTES = 4
"""Length of the hash by which both sides of an `inter` codec know that they have the same state. Zeros: no state, which a keyframe needs."""


class Encoded(NamedTuple):
    """One tensor as bytes: what the decoder must know of it, and the tensor itself."""

    params: bytes
    payload: bytes


class Codec(ABC):
    """How one tensor becomes bytes and comes back.

    `id` travels in every frame and never changes; `name` is what people write. `carries` says what the codec takes: a feature
    tensor (float32, any shape without the batch dimension), a picture (uint8, (H, W, 3), RGB), or the symbols of a tensor that the network
    has quantised itself, whose grid it must be told first (`shared.codecs.symbols.at_point`). Options (a level, a quality)
    steer the encoder only: whatever the decoder needs is in the frame.

    One object serves several threads at once, except as `for_stream` says.
    """

    id: int
    name: str
    carries: Literal["tensor", "picture", "symbols"] = "tensor"
    inter: bool = False
    """Whether a frame may need the frame before it of the same stream. Then only what `for_stream` gives does so: it codes the frames of
    one stream in order, in one direction, by one thread at a time; the codec itself codes each frame by itself (keyframes).
    """

    @abstractmethod
    def encode(self, array: NDArray[Any]) -> Encoded:
        """Encode one array, which stays as it is. Raises ContentError if this codec cannot represent it (NaN, out of range)."""

    @abstractmethod
    def decode(self, params: bytes, payload: Bytes, shape: tuple[int, ...]) -> NDArray[Any]:
        """The array of exactly this `shape`: float32 and finite for a tensor, uint8 for a picture.

        Raises WireError, and nothing else, for all bytes. Allocates no more than the shape says. The result may be a
        read-only view of `payload`; the codec does not change it afterwards.
        """

    def for_stream(self) -> Codec:
        """The codec for one stream of frames: one source under one plan, encoded in order by one thread at a time.

        A codec whose encoder remembers something between frames (statistics, the previous frame) returns a new object that
        remembers nothing yet. A codec without such state returns itself. Unless the codec is `inter`, every frame must
        still be decodable without the frames before it: frames are dropped, repeated and answered in any order. What decodes the frames of
        an `inter` codec is a stream as well: it raises StateMissingError for a frame that needs a state other than its own.
        """
        return self

    def forget(self) -> None:  # noqa: B027 - a codec without state has nothing to forget
        """Make the stream's next frame one that needs no other (a keyframe). For any thread, at any time; nothing for a codec that is not `inter`."""

    def needs(self, params: bytes) -> bytes:
        """The state that a frame with these parameters needs, by its hash of STATE_BYTES; empty if it needs none. Raises ContentError."""
        del params
        return b""

    def of_tensor(self, number: int) -> Codec:
        """What encodes the tensor of this number, from 0, of a crossing of several; each is decoded by its frame's codec alone.

        A codec that treats them all alike returns itself. One whose encoder remembers something between frames needs no method
        of its own either: it is given a stream for each tensor (`for_stream`). Raises ContentError for a tensor it has nothing for.
        """
        del number
        return self

    @property
    def revision(self) -> str:
        """Tells two codecs of one name apart, such as by a version or a profile; measurements are kept per revision."""
        return ""

    def options(self) -> dict[str, int]:
        """The encoder's options as they are set."""
        return {}

    def ranges(self) -> dict[str, tuple[int, int]]:
        """Lowest and highest value of each option."""
        return {}

    def with_options(self, **options: int) -> Codec:
        """The same codec with these options; all of them must be given."""
        assert not options, f"{self.name} has no options"
        return self


def elements(shape: tuple[int, ...]) -> int:
    """Number of elements of a tensor of this shape."""
    return prod(shape)


def require_finite(array: NDArray[np.floating[Any]]) -> None:
    """Raise ContentError if there is a NaN or an infinity in the array."""
    import numpy as np  # noqa: PLC0415 - keeps this module free of imports at run time

    if not np.isfinite(array).all():
        raise ContentError("the tensor holds NaN or infinity; accepted: finite numbers")
