"""From a request's body to work for a tail: frames and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from cloud.bodies.json.body import Shapes, Tensors, check_shapes, read_tensors
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.inter.codec import CalibratedInter
from shared.codecs.coding import codecs_of, decode_tensors
from shared.codecs.video.codec import Video
from shared.errors import CodecError, ShapeError, SplitPointError
from shared.limits import MAX_PICTURE_PIXELS
from shared.network.partition import INPUT, OUTPUT
from shared.network.recipes.resize import fit_picture
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cloud.batching.crossing import Crossing
    from cloud.profiles.store import Profiles
    from shared.codecs.base import Codec
    from shared.network.grid import Grid
    from shared.network.model import Model
    from shared.network.partition import Partition, SplitPoint


@dataclass(frozen=True, slots=True)
class Work:
    """What a tail has to do: a validated crossing of one frame or one picture, or of the n frames in a JSON body."""

    split_point: str
    crossing: Crossing
    deadline_ms: int = 0
    frame_id: int = 0
    count: Any = None
    codec: str | None = None
    """The codec of the frame, of its first tensor if they differ; `image` for a picture's file; None for JSON."""
    payload_bytes: int = 0
    source: tuple[int, int] | None = None
    """(height, width) of a picture in whose pixels the answer's places are to be; None: in those of the network's input."""


class Checked(NamedTuple):
    """A frame that a tail can take, and the codec that decodes each of its tensors: its profile's, if it names one."""

    frame: wire.Frame
    codecs: tuple[Codec, ...]
    grids: tuple[Grid | None, ...] = ()
    """The split point's."""


def read_frame(
    body: wire.Bytes, model: Model, partition: Partition, profiles: Profiles | None = None
) -> Work:
    """Read one frame of this network as shared/wire/WIRE.md defines it; without `profiles` every profile is missing.

    Raises RequestError.
    """
    return decode_frame(check_frame(wire.unpack(body), partition, profiles), model)


def check_frame(frame: wire.Frame, partition: Partition, profiles: Profiles | None = None) -> Checked:
    """Check whether a tail of its network can take this frame, as far as that shows before it is decoded.

    `partition` is that of the network that its fingerprint names. Raises RequestError.
    """
    point = partition.point(frame.split_point)
    if point.name == OUTPUT and len(point.shapes) > 1:
        raise SplitPointError(
            f"{len(point.shapes)} tensors cross at {OUTPUT}, where nothing is left to compute",
            accepted=[name for name in partition.points if name != OUTPUT],
        )
    codecs = codecs_of(frame)
    if codecs[0].carries == "picture":
        _check_picture(codecs[0], frame.tensors[0], point)
    else:
        check_shapes([tensor.shape for tensor in frame.tensors], point.shapes, point.name)
    if profiles and codecs[0].id in (Calibrated.id, CalibratedInter.id):
        fitted = profiles.codec_of(frame)
        codecs = [fitted.of_tensor(number) for number in range(len(codecs))]
    return Checked(frame, tuple(codecs), point.grids)


def _check_picture(codec: Codec, tensor: wire.EncodedTensor, point: SplitPoint) -> None:
    if point.name != INPUT:
        raise CodecError(
            f"{codec.name} carries pictures, and pictures travel at the split point {INPUT!r} only"
        )
    if len(tensor.shape) != 3 or tensor.shape[2] != 3:
        raise ShapeError(
            f"a picture has the shape (height, width, 3), not {tensor.shape}",
            accepted={"shape": ["height", "width", 3], "max_pixels": MAX_PICTURE_PIXELS},
        )


def is_to_resize(checked: Checked, model: Model) -> bool:
    """Whether a checked frame carries a picture of another size than the network's."""
    frame, codecs = checked.frame, checked.codecs
    return codecs[0].carries == "picture" and frame.tensors[0].shape != model.recipe.picture_shape


def is_video(checked: Checked) -> bool:
    """Whether a checked frame carries a picture of a video, which this process must not decode: see cloud/bodies/video."""
    return isinstance(checked.codecs[0], Video)


def decode_frame(checked: Checked, model: Model) -> Work:
    """Decode what a checked frame carries into the tensors that cross; no video. Raises WireError."""
    if is_video(checked):  # bytes from the network reach no decoder of video in this process
        raise CodecError(f"{checked.codecs[0].name} is not decoded here")
    return work_with(checked, model, decode_tensors(checked.frame, checked.codecs, checked.grids))


def work_with(checked: Checked, model: Model, arrays: tuple[NDArray[Any], ...]) -> Work:
    """The work of a checked frame, which these arrays were decoded from."""
    frame, codecs = checked.frame, checked.codecs
    if codecs[0].carries == "picture":
        picture = fit_picture(arrays[0], model.recipe) if is_to_resize(checked, model) else arrays[0]
        arrays = (model.recipe.normalise(picture),)
    return Work(
        frame.split_point,
        tuple(array[None] for array in arrays),
        frame.deadline_ms,
        frame.frame_id,
        None,
        codecs[0].name,
        frame.payload_bytes,
    )


def read_json(
    body: wire.Bytes,
    shapes: Shapes,
    default: str,
    max_tensors: int,
    read: Callable[..., Tensors] = read_tensors,
) -> Work:
    """Read a JSON body as `read` does. Raises RequestError."""
    return work_of(read(body, shapes, default, max_tensors))


def work_of(tensors: Tensors) -> Work:
    """The work that a JSON body asks for."""
    return Work(tensors.split_point, tensors.arrays, count=tensors.count)
