"""`python -m bench flood`: requests of clients with tokens, over TLS, at several times the cloud's capacity, half of them cancelled.

No answer may be another's, none may be missing, and nothing may be left of it.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.keys import Keys
from bench.harness.options import Options, kept_or_temporary, number_between, option, positive
from bench.harness.system import Cloud
from bench.load.flood.findings import judged
from bench.load.flood.run import Flood, Plan
from bench.soak.ledger import read_rows

if TYPE_CHECKING:
    from collections.abc import Sequence


_MODEL, _POINT = "mobilenet_v2", "features.13"
_START_S = 120.0


@dataclass(frozen=True)
class FloodOptions(Options):
    """Ask a cloud over TLS, by several tokens, for more than it can do, and leave before many answers; check each answer and what is left."""

    command = "flood"

    requests: int = option(100_000, "in all", quick=3000, type=positive)
    quick: bool = option(False, "3000, to see that it works")
    overload: float = option(
        5.0, "offered, over what is answered at most", type=number_between(float, 0.1, 100)
    )
    cancelled: float = option(0.5, "share of the requests", type=number_between(float, 0, 1))
    clients: int = option(8, "each with a token of its own", type=number_between(int, 1, 256))
    connections: int = option(24, "of each client", type=number_between(int, 1, 128))
    timeout: float = option(90.0, "seconds for an answer", type=number_between(float, 1, 600))
    capacity_s: float = option(
        5.0, "seconds for measuring the capacity", quick=2.0, type=number_between(float, 0.5, 600)
    )
    seed: int = option(0, "of the moments at which they leave")
    model: str = option(_MODEL, "a bundle's folder, or a file or name, with random weights then")
    split_point: str = option("", f"of the frames (default: the network's own; {_POINT} of {_MODEL})")
    queue: int = option(16, "tensors that may wait in the cloud: fewer than are sent at once", type=positive)
    threads: int = option(1, "of the cloud", type=positive)
    folder: Path | None = option(None, "keep ledger and log there (default: they are removed)", type=Path)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"client{number}" for number in range(self.clients))

    @property
    def plan(self) -> Plan:
        return Plan(
            self.requests, self.overload, self.cancelled, self.names, self.connections, self.timeout,
            self.capacity_s, self.seed, self.split_point,
        )  # fmt: skip

    def network(self) -> list[str]:
        """The cloud's flags."""
        point = self.split_point or (_POINT if self.model == _MODEL else "")
        return [
            f"--model={self.model}",
            *([] if Path(self.model).exists() else ["--weights=random"]),
            *([f"--split-point={point}"] if point else []),
        ]


def main(arguments: Sequence[str]) -> int:
    """Run it and print what was found. Exit status 1 if anything was wrong."""
    options = FloodOptions.read(arguments)
    try:
        with kept_or_temporary(options.folder) as folder:
            keys = Keys.make(folder / "keys", options.names)
            flags = [
                *options.network(),
                f"--threads={options.threads}",
                f"--queue-capacity={options.queue}",
                f"--ledger={folder / 'ledger.jsonl'}",
            ]
            with Cloud(flags, log=folder / "cloud.log", keys=keys) as cloud:
                cloud.wait_until_ready(_START_S)
                outcome = asyncio.run(Flood(options.plan, cloud, _say).run())
            findings = judged(outcome, read_rows(folder / "ledger.jsonl"), options.names)
    except RuntimeError as error:
        print(f"python -m bench flood: {error}", file=sys.stderr)
        return 1
    print(findings.text)
    return 1 if findings.faults else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
