"""What `python -m bench peers` compares, and how long it takes for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.options import DATA, ModelOptions, first_file, names, number_between, option, positive
from bench.harness.process import free_port
from bench.harness.system import Setup
from bench.load.peers.known import CONTENDERS
from bench.load.peers.servers.spec import Spec
from shared.process.threads import available_cores

if TYPE_CHECKING:
    from bench.load.peers.material import Material

_HINTS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
_CARRIED = ("uint8", "float32")
_CODECS = ("int8", "int8+zstd", "uint8", "uint8+zstd")


def _whole_numbers(text: str) -> tuple[int, ...]:
    return tuple(sorted({int(positive(each)) for each in names(text)}))


@dataclass(frozen=True)
class PeersOptions(ModelOptions):
    """The same tail behind other model servers, each in an environment of its own, behind ours, and with no server at all.

    Every round is a whole life of each server, one after another: start, one client, many clients, poisoned requests beside
    good ones, SIGTERM under load. Peers are installed at the first run, a few hundred MB each; one that cannot be is skipped, and the
    reason is said. A life takes about five times --seconds and the start.
    """

    command = "peers"

    only: tuple[str, ...] = option((), f"(default: all): {', '.join(CONTENDERS)}", type=names)
    folder: Path = option(Path("~/.cache/splitdnn/peers"), "of the peers' environments", type=Path)
    install_s: float = option(
        900.0, "seconds in which one peer must be installed", type=number_between(float, 1, 7200)
    )
    split_point: str = option("layer3", "where one tensor crosses")
    precision: str = option("float32", "that all tails compute in; int8 networks have their own")
    threads: int = option(0, "of all tails (default: the cores)", type=number_between(int, 0, 1024))
    carry: str = option("uint8", "how peers get what crosses: uint8 with its range, or float32")
    codec: str = option(
        "",
        "of our frames: with `int8` they take as many bytes as the peers' (default: int8+zstd, or uint8+zstd of symbols)",
    )
    max_batch: int = option(8, "of servers that batch", type=number_between(int, 1, 256))
    batch_wait_ms: float = option(2.0, "of peers that batch", type=number_between(float, 0, 1000))
    ours: tuple[str, ...] = option((), "further flags of our cloud, as in --max-batch=16", type=names)
    clients: tuple[int, ...] = option((1, 16), "numbers of clients: two", type=_whole_numbers)
    rounds: int = option(3, "of all", quick=1, type=positive)
    seconds: float = option(4.0, "of each measurement", quick=1.0, type=number_between(float, 0.2, 600))
    warm: float = option(1.0, "seconds before", quick=0.3, type=number_between(float, 0, 60))
    start: float = option(60.0, "seconds in which a server must answer", type=number_between(float, 1, 600))
    grace: float = option(
        30.0, "seconds in which it must end after SIGTERM", type=number_between(float, 1, 600)
    )
    timeout: float = option(20.0, "seconds for an answer", type=number_between(float, 0.1, 600))
    source: str = option(
        first_file(DATA / "videos" / "car-detection.mp4", "synthetic:fps=0,frames=64"), "of the crossings"
    )
    keep: Path | None = option(
        None, "file to which the rounds are added; the table is of all rounds in it", type=Path
    )

    def wrong(self) -> str | None:
        if unknown := [name for name in self.only if name not in CONTENDERS]:
            return f"--only {', '.join(unknown)}: there are {', '.join(CONTENDERS)}"
        if self.carry not in _CARRIED:
            return f"--carry {self.carry}: accepted are {', '.join(_CARRIED)}"
        if self.codec and self.codec not in _CODECS:
            return f"--codec {self.codec}: accepted are {', '.join(_CODECS)}"
        if self.precision not in _HINTS:
            return f"--precision {self.precision}: accepted are {', '.join(_HINTS)}"
        if len(self.clients) != 2:
            return "--clients: two different numbers, as in 1,16"
        return None

    @property
    def measurement(self) -> str:
        """What must be the same for all rounds of one table."""
        own = f" {','.join(self.ours)}" if self.ours else ""
        return (
            f"{self.model} {self.split_point} {self.carry}{self.codec and f' {self.codec}'} {self.precision}, {self.cores} threads, {', '.join(map(str, self.clients))} clients, "
            f"batches of {self.max_batch} within {self.batch_wait_ms:g} ms, {self.seconds:g} s{own}"
        )

    @property
    def cores(self) -> int:
        return self.threads or available_cores()

    @property
    def home(self) -> Path:
        return self.folder.expanduser().absolute()

    @property
    def setup(self) -> Setup:
        return Setup(self.weights, self.source, "openvino", None, self.cores)

    def chosen(self) -> list[str]:
        """The contenders, in the order of the table."""
        return [name for name in CONTENDERS if name in (self.only or CONTENDERS)]

    def spec(self, material: Material, port: int, folder: Path) -> Spec:
        """What a server is told."""
        return Spec(
            str(material.model), port, free_port(), free_port(), self.cores, _HINTS[self.precision], self.max_batch,
            self.batch_wait_ms / 1e3, material.gridded, str(folder),
        )  # fmt: skip
