"""What all servers are given: the tail as one OpenVINO file, and the same crossings as each protocol carries them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.harness.frames import CODEC
from bench.load.peers.sending.answer import FRAMES, GRPC, RAW
from bench.load.peers.sending.body import GOOD, POISONED, Body, write_bodies
from bench.load.peers.sending.v2 import Given, request
from shared.codecs import encode_frame, make_codec
from shared.codecs.symbols import at_point
from shared.wire import frame as wire

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.harness.network import Network
    from shared.engines.half import Half
    from shared.network.partition import SplitPoint

MODEL = "tail"
"""Its name at every server, and the file's."""
SYMBOLS_CODEC = "uint8+zstd"
_CANDIDATES = 48
_DATATYPES = {"float32": "FP32", "uint8": "UINT8", "int8": "INT8"}
_LARGEST = 255
_GARBAGE_BYTES = 4096


@dataclass(frozen=True)
class Material:
    """A folder: `tail.xml`, and for each protocol a folder of bodies of its name."""

    folder: Path
    codec: str
    """Our frames'."""
    carries: str
    """What peers are sent, for people."""
    gridded: bool
    int8: bool
    """Whether the network computes with symbols."""
    body_bytes: dict[str, int]
    """The first good request's, by protocol."""

    @property
    def model(self) -> Path:
        return self.folder / f"{MODEL}.xml"

    def bodies(self, protocol: str) -> Path:
        return self.folder / protocol


@dataclass(frozen=True)
class Crossing:
    """One crossing as a peer is sent it."""

    values: NDArray[Any]
    """(1, *shape): float32, or symbols."""
    grid: NDArray[np.float32] | None
    """(1, 2): the lowest value and the step, where `values` are symbols of a float network."""

    def raw(self) -> bytes:
        """Bare bytes: the grid, then the values."""
        return (b"" if self.grid is None else self.grid.tobytes()) + self.values.tobytes()

    def message(self, shape: tuple[int, ...] | None = None) -> bytes:
        """The Open Inference Protocol's message; `shape` is what it says in place of the values' own."""
        given = [
            Given(
                "crossing",
                _DATATYPES[self.values.dtype.name],
                shape or self.values.shape,
                self.values.tobytes(),
            )
        ]
        if self.grid is not None:
            given.append(Given("grid", "FP32", self.grid.shape, self.grid.tobytes()))
        return request(MODEL, given)

    def restored(self) -> NDArray[Any]:
        """As the tail takes it."""
        if self.grid is None:
            return self.values
        restored: NDArray[np.float32] = self.values.astype(np.float32) * self.grid[0, 1] + self.grid[0, 0]
        return restored


def in_bytes(values: NDArray[np.float32]) -> Crossing:
    """The nearest of 256 evenly spaced values from the lowest to the largest."""
    low, high = values.min(), values.max()
    step = np.float32((high - low) / _LARGEST) or np.float32(1)
    symbols = np.rint((values - low) / step).astype(np.uint8)
    return Crossing(symbols, np.array([[low, step]], np.float32))


def poisoned(crossing: Crossing) -> list[Crossing]:
    """Crossings that no server should mind: one that is not a number, if it can be said, and one of another shape."""
    found = [Crossing(np.ascontiguousarray(crossing.values[:, :, :-1]), crossing.grid)]
    if crossing.grid is not None:
        found.append(Crossing(crossing.values, np.full_like(crossing.grid, np.nan)))
    elif crossing.values.dtype == np.float32:
        found.append(Crossing(np.full_like(crossing.values, np.nan), None))
    return found


class Maker:
    """Makes material, in a `Worker`."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._random = np.random.default_rng(0)

    def make(
        self, folder: str, name: str, count: int, carry: str, precision: str, codec: str = ""
    ) -> dict[str, Any]:
        """`asdict` of the Material, for `count` crossings at the split point `name`; `codec` of our frames, by default the usual one.

        Raises ValueError where it cannot be.
        """
        from shared.engines.openvino.network import cut, read
        from shared.engines.openvino.runtime import ov

        partition = self._network.partition
        point = partition.point(name)
        _, output = partition.ends
        if len(point.shapes) != 1 or len(output.shapes) != 1 or self._network.bundle.batch == 1:
            raise ValueError(
                "peers are compared where one tensor crosses and one comes out, of networks that take batches"
            )
        int8 = any(each.is_quantised for each in partition.points.values())
        engine = self._network.engine("openvino", "auto" if int8 else precision)
        head, tail = engine.head(point), engine.tail(point)
        path = Path(folder)
        ov.save_model(
            cut(read(self._network.bundle), point, output), str(path / f"{MODEL}.xml"), compress_to_fp16=False
        )
        gridded = carry == "uint8" and not point.is_quantised
        codec = codec or (SYMBOLS_CODEC if point.is_quantised else CODEC)
        bodies = self._bodies(self._clear(head, tail, count), point, tail, codec, gridded=gridded)
        for protocol, kinds in bodies.items():
            write_bodies(path / protocol, kinds)
        sizes = {protocol: len(kinds[GOOD][0].data) for protocol, kinds in bodies.items()}
        carries = (
            "the network's own symbols"
            if point.is_quantised
            else "uint8 and its grid"
            if gridded
            else "raw float32"
        )
        return asdict(Material(path, codec, carries, gridded, int8, sizes))

    def _clear(self, head: Half, tail: Half, count: int) -> list[NDArray[np.float32]]:
        """The crossings whose top class is clearest: no codec may change it, so that a wrong answer is the server's."""
        found: list[tuple[float, int, NDArray[np.float32]]] = []
        for tensor in islice(self._network.tensors(), _CANDIDATES):
            (crossing,) = head((tensor,))
            second, first = np.sort(tail((crossing,))[0][0])[-2:]
            found.append((float(first - second), len(found), crossing))
        return [crossing for _, _, crossing in sorted(found, reverse=True)[:count]]

    def _bodies(
        self,
        crossings: list[NDArray[np.float32]],
        point: SplitPoint,
        tail: Half,
        codec: str,
        *,
        gridded: bool,
    ) -> dict[str, dict[str, list[Body]]]:
        sent = [in_bytes(each) if gridded else Crossing(point.native((each,))[0], None) for each in crossings]
        tops = [int(tail((each.restored(),))[0][0].argmax()) for each in sent]
        garbage = Body(self._random.bytes(_GARBAGE_BYTES))
        odd = poisoned(sent[0])
        lie = sent[0].message((1, *point.shapes[0][:-1], point.shapes[0][-1] + 1))
        frames = [self._frame(each, point, codec) for each in crossings]
        shorter = np.ascontiguousarray(crossings[0][:, :, :-1])
        return {
            FRAMES: {
                GOOD: [Body(each, top) for each, top in zip(frames, tops, strict=True)],
                POISONED: [
                    Body(self._frame(shorter, point, CODEC)),
                    Body(self._not_a_number(crossings[0], point)),
                    Body(frames[0][: len(frames[0]) // 2]),
                    garbage,
                ],
            },
            RAW: {
                GOOD: [Body(each.raw(), top) for each, top in zip(sent, tops, strict=True)],
                POISONED: [*(Body(each.raw()) for each in odd), garbage],
            },
            GRPC: {
                GOOD: [Body(each.message(), top) for each, top in zip(sent, tops, strict=True)],
                POISONED: [*(Body(each.message()) for each in odd), Body(lie), garbage],
            },
        }

    def _frame(self, crossing: NDArray[np.float32], point: SplitPoint, codec: str) -> bytes:
        return wire.pack(self._encoded(crossing, point, codec))

    def _not_a_number(self, crossing: NDArray[np.float32], point: SplitPoint) -> bytes:
        """A frame as no edge of ours writes it: its codec refuses such a tensor."""
        frame = self._encoded(crossing, point, "float32")
        payload = np.full_like(crossing, np.nan).tobytes()
        return wire.pack(replace(frame, tensors=(replace(frame.tensors[0], payload=payload),)))

    def _encoded(self, crossing: NDArray[np.float32], point: SplitPoint, codec: str) -> wire.Frame:
        return encode_frame(
            crossing[0], at_point(make_codec(codec), point),
            split_point=point.name, fingerprint=self._network.model.fingerprint, frame_id=0,
        )  # fmt: skip


def material_of(made: dict[str, Any]) -> Material:
    """What `Maker.make` has said."""
    return Material(**made)
