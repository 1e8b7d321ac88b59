"""What happens to files and to packets on their way: bytes that change, packets that are lost, ends that are missing."""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av

TRANSPORT_PACKET = 188


@cache
def places(path: Path) -> list[tuple[int, int]]:
    """Where the packets of the first picture stream lie in the file: (position, size), in the order of decoding."""
    data, found, after = path.read_bytes(), [], 0
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.size:
                after = data.index(bytes(packet), max(after, packet.pos or 0))
                found.append((after, packet.size))
    return found


@dataclass(frozen=True)
class Packet:
    """The packet of this number is changed: `zeros`, `noise`, `tail` (its second half is zeros), `flip` (one bit)."""

    number: int
    how: str
    many: int = 1

    def __call__(self, data: bytes, origin: Path) -> bytes:
        """The changed file."""
        changed = bytearray(data)
        for start, size in places(origin)[self.number : self.number + self.many]:
            middle, end = start + size // 2, start + size
            if self.how == "zeros":
                changed[start:end] = bytes(size)
            elif self.how == "noise":
                changed[start + size // 3 : end] = random.Random(self.number).randbytes(
                    end - start - size // 3
                )
            elif self.how == "tail":
                changed[middle:end] = bytes(end - middle)
            elif self.how == "flip":
                changed[middle] ^= 0x10
            else:
                raise ValueError(self.how)
        return bytes(changed)


@dataclass(frozen=True)
class Missing:
    """Packets are left out, as by a recorder that was too slow."""

    number: int
    many: int = 1

    def __call__(self, data: bytes, origin: Path) -> bytes:
        """The file without them, in the same container."""
        del data
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder) / f"missing{origin.suffix}"
            with av.open(str(origin)) as given, av.open(str(written), "w") as out:
                stream = given.streams.video[0]
                copy = out.add_stream_from_template(stream)
                for number, packet in enumerate(given.demux(stream)):
                    if packet.size and not self.number <= number < self.number + self.many:
                        packet.stream = copy
                        out.mux(packet)
            return written.read_bytes()


@dataclass(frozen=True)
class Transport:
    """Packets of a transport stream are left out from this share of it on, as by a network; or changed."""

    share: float
    many: int = 1
    noise: bool = False

    def __call__(self, data: bytes, origin: Path) -> bytes:
        """The file without them."""
        del origin
        start = int(self.share * len(data)) // TRANSPORT_PACKET * TRANSPORT_PACKET
        end = start + self.many * TRANSPORT_PACKET
        between = random.Random(1).randbytes(end - start) if self.noise else b""
        return data[:start] + between + data[end:]


@dataclass(frozen=True)
class Cut:
    """Only this share of the file, from its beginning, is left."""

    share: float

    def __call__(self, data: bytes, origin: Path) -> bytes:
        """The beginning."""
        del origin
        return data[: int(self.share * len(data))]


@dataclass(frozen=True)
class Beheaded:
    """The first bytes are missing: somebody tuned in later."""

    share: float

    def __call__(self, data: bytes, origin: Path) -> bytes:
        """The end."""
        del origin
        return data[int(self.share * len(data)) :]


@dataclass(frozen=True)
class Hole:
    """A stretch of zeros, as in a download that was resumed wrongly."""

    start: float
    end: float

    def __call__(self, data: bytes, origin: Path) -> bytes:
        """The file with the hole."""
        del origin
        start, end = (int(share * len(data)) for share in (self.start, self.end))
        return data[:start] + bytes(end - start) + data[end:]


@dataclass(frozen=True)
class Padded:
    """Bytes behind the end, as of a recorder that reserves space."""

    many: int

    def __call__(self, data: bytes, origin: Path) -> bytes:
        """The file and zeros."""
        del origin
        return data + bytes(self.many)
