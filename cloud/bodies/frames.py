"""From a request's body to work for a tail: the two contracts of `POST /model`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from cloud.bodies.json_body import Shapes, Tensors, check_shape, read_tensors
from shared.codecs import Codec, codec_of
from shared.codecs.calibrated.codec import Calibrated
from shared.errors import CodecError, ShapeError, SplitPointError
from shared.limits import MAX_PICTURE_PIXELS
from shared.network.partition import INPUT
from shared.network.recipes.resize import fit_picture
from shared.wire import frame as wire

if TYPE_CHECKING:
    from cloud.batching.crossing import Crossing
    from cloud.profiles import Profiles
    from shared.network.model import Model
    from shared.network.partition import Partition, SplitPoint


@dataclass(frozen=True, slots=True)
class Work:
    """What a tail has to do: a validated crossing of one frame, or of the n tensors in a JSON body."""

    split_point: str
    crossing: Crossing
    deadline_ms: int = 0
    frame_id: int = 0
    count: Any = None
    codec: str | None = None
    """The frame's codec; None for JSON."""
    payload_bytes: int = 0


class Checked(NamedTuple):
    """A frame that a tail can take, and the codec that decodes it: its profile's, if it names one."""

    frame: wire.Frame
    codec: Codec


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
    point = crossed_at(frame.split_point, partition)
    codec = codec_of(frame)
    if codec.carries == "picture":
        if point.name != INPUT:
            raise CodecError(
                f"{codec.name} carries pictures, and pictures travel at the split point {INPUT!r} only"
            )
        if len(frame.shape) != 3 or frame.shape[2] != 3:
            raise ShapeError(
                f"a picture has the shape (height, width, 3), not {frame.shape}",
                accepted={"shape": ["height", "width", 3], "max_pixels": MAX_PICTURE_PIXELS},
            )
    else:
        check_shape(frame.shape, point.shape, point.name)
    if profiles and codec.id == Calibrated.id:
        codec = profiles.codec_of(frame)
    return Checked(frame, codec)


def crossed_at(name: str, partition: Partition) -> SplitPoint:
    """The split point of this name, where one tensor crosses. Raises SplitPointError."""
    point = partition.point(name)
    if len(point.shapes) != 1:
        raise SplitPointError(
            f"{len(point.shapes)} tensors cross at {name}, and a frame carries one",
            accepted=[each.name for each in partition.points.values() if len(each.shapes) == 1],
        )
    return point


def is_to_resize(checked: Checked, model: Model) -> bool:
    """Whether a checked frame carries a picture of another size than the network's."""
    frame, codec = checked
    return codec.carries == "picture" and frame.shape != model.recipe.picture_shape


def decode_frame(checked: Checked, model: Model) -> Work:
    """Decode what a checked frame carries into the tensor that crosses. Raises WireError."""
    frame, codec = checked
    array, recipe = codec.decode(frame.params, frame.payload, frame.shape), model.recipe
    if is_to_resize(checked, model):
        array = fit_picture(array, recipe)
    tensor = recipe.normalise(array) if codec.carries == "picture" else array
    return Work(
        frame.split_point,
        (tensor[None],),
        frame.deadline_ms,
        frame.frame_id,
        None,
        codec.name,
        len(frame.payload),
    )


def read_json(body: wire.Bytes, shapes: Shapes, default: str, max_tensors: int) -> Work:
    """Read `{"data": [[[[…]]]], "count": n, "split_point": name}`, the last two optional. Raises RequestError."""
    return work_of(read_tensors(body, shapes, default, max_tensors))


def work_of(tensors: Tensors) -> Work:
    """The work that a JSON body asks for."""
    return Work(tensors.split_point, (tensors.array,), count=tensors.count)
