"""From the binary part of an inference request to work for a tail. Used on threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloud.bodies.frames import Checked, Work, check_frame, decode_frame, is_to_resize
from cloud.bodies.inference.names import split_point_of
from cloud.bodies.inference.tensors import elements, numbers, payloads, values
from shared.codecs.registry import NAMES
from shared.errors import FingerprintError, ShapeError, SplitPointError
from shared.network.partition import INPUT
from shared.wire.checks import check_shapes
from shared.wire.frame import MAGIC, EncodedTensor, Frame, unpack

if TYPE_CHECKING:
    from cloud.access.ledger import Entry
    from cloud.bodies.body import Body
    from cloud.bodies.inference.request import Request
    from cloud.networks.network import LoadedNetwork
    from cloud.networks.networks import Networks
    from cloud.profiles.store import Profiles
    from shared.wire.frame import Bytes

_CODECS = {"FP32": "float32", "FP16": "float16", "UINT8": "uint8"}
"""What metrics call the codec of a tensor."""
_RAW = NAMES["raw"]


def holds_frame(data: Bytes) -> bool:
    """Whether an element of datatype BYTES that begins so is a frame; it is a picture's file otherwise."""
    return bytes(data[: len(MAGIC)]) == MAGIC


class Reading:
    """Reads one request's tensors, of which the JSON part has been read."""

    def __init__(
        self,
        request: Request,
        body: Body,
        start: int,
        network: LoadedNetwork,
        networks: Networks,
        profiles: Profiles,
        *,
        pinned: bool,
        entry: Entry,
    ) -> None:
        """The JSON part of `body` ends at `start`. `network` is the one that is asked, just it if `pinned`; else frames may be for
        another one of the same name.
        """
        self.request = request
        self.network = network
        self._body = body
        self._start = start
        self._networks = networks
        self._profiles = profiles
        self._pinned = pinned
        self._entry = entry

    def split(self) -> list[memoryview]:
        """The bytes of each row of an input that is BYTES, or pixels. Raises RequestError."""
        if len(self.request.inputs) > 1 or self.request.inputs[0].name != INPUT:
            names = ", ".join(each.name for each in self.request.inputs)
            raise SplitPointError(
                f"BYTES are pictures and frames, which come as the only input, {INPUT}; these are {names}",
                accepted=[INPUT],
            )
        (given,) = self.request.inputs
        rest = memoryview(self._body.whole())[self._start :]
        if not self._start:  # a body without JSON is the only element
            return [rest]
        (payload,) = payloads(self.request, rest)
        if given.datatype == "BYTES":
            return elements(given, payload)
        if given.shape[3:] != (3,) or len(given.shape) != 4:
            raise ShapeError(
                f"input {INPUT} of datatype UINT8 is pictures, (n, height, width, 3), not {list(given.shape)}",
                accepted={"shape": [-1, "height", "width", 3]},
            )
        check_shapes([given.shape[1:]])
        numbers(given, payload)  # as long as its shape says
        size = len(payload) // given.shape[0]
        return [payload[at : at + size] for at in range(0, len(payload), size)]

    def only_frame(self) -> tuple[LoadedNetwork, Work | Checked]:
        """The work of the only row, a frame."""
        return self.frame(self.split()[0])

    @property
    def picture_size(self) -> tuple[int, int] | None:
        """(height, width) of pixels that are to be fitted to the network; None for those that are of its size already."""
        shape = self.request.inputs[0].shape[1:]
        return None if shape == self.network.model.recipe.picture_shape else shape[:2]  # type: ignore[return-value]

    def tensors(self) -> tuple[LoadedNetwork, Work]:
        """The work of all rows of float tensors or symbols, which cross at one split point. Raises RequestError."""
        network, inputs = self.network, self.request.inputs
        split_point, order = split_point_of([each.name for each in inputs], network.shapes())
        point = network.partition.point(split_point)
        found = payloads(self.request, memoryview(self._body.whole())[self._start :])
        crossing = []
        for number, place in enumerate(order):
            each = inputs[place]
            symbols = bool(point.grids and point.grids[number])
            array = numbers(each, found[place])
            crossing.append(values(each, array, point.shapes[number], symbols=symbols))
        network.usage.note(split_point)
        codec = _CODECS[inputs[order[0]].datatype]
        self._entry.note_unnumbered(split_point, codec)
        return network, Work(split_point, tuple(crossing), codec=codec, payload_bytes=sum(map(len, found)))

    def frame(self, data: Bytes, *, again: bool = False) -> tuple[LoadedNetwork, Work | Checked]:
        """The work of a frame; a picture of another size than the network's is not decoded yet. `again`: the ledger has noted it. Raises RequestError."""
        frame = unpack(data)
        if not again:
            self._entry.note(frame)
        network = self._networks.of("frame", frame.fingerprint, self._entry.client)
        if network is not self.network and (self._pinned or network.model.name != self.network.model.name):
            raise FingerprintError(
                f"this frame is for {network.model.name}, version {network.model.fingerprint.hex()}, and another is asked",
                accepted={"version": self.network.model.fingerprint.hex()},
            )
        network.usage.note(frame.split_point)
        return network, self._unless_late(check_frame(frame, network.partition, self._profiles), network)

    def pixels(self, data: Bytes) -> tuple[LoadedNetwork, Work | Checked]:
        """The work of a picture of the request's shape. Raises RequestError."""
        network = self.network
        shape = self.request.inputs[0].shape[1:]
        tensor = EncodedTensor(_RAW.id, shape, b"", data)
        frame = Frame(INPUT, (tensor,), network.model.fingerprint, 0, 0, 0)
        network.usage.note(INPUT)
        self._entry.note_unnumbered(INPUT, _RAW.name)
        return network, self._unless_late(check_frame(frame, network.partition), network)

    @staticmethod
    def _unless_late(checked: Checked, network: LoadedNetwork) -> Work | Checked:
        return checked if is_to_resize(checked, network.model) else decode_frame(checked, network.model)
