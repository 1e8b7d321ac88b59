"""Several clouds of a small network as processes, edges before them, and the join of their records: three ledgers, one account."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from kits.bundles import tiny
from kits.chaos import summary
from kits.deployments import edge_settings
from kits.edge_run import EdgeRun

from bench.harness.process import environment
from bench.harness.system import Cloud
from bench.soak.ledger import faults_of, lines_of, read_rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.soak.ledger import Row

SOURCE = "synthetic:fps={fps:g},frames={frames},width=64,height=48"
_FLAGS = ("--engine=openvino", "--precision=float32", "--threads=1")
_START_S = 120.0


class Fleet:
    """Clouds number 1 to `count`."""

    def __init__(
        self, folder: Path, count: int = 3, *, flags: tuple[str, ...] = (), health_by_tls: bool = False
    ) -> None:
        """`flags` are every cloud's; with `health_by_tls` its port speaks nothing else."""
        self.folder = folder
        self._ledgers = [folder / f"ledger-{number}.jsonl" for number in range(1, count + 1)]
        self.clouds = [
            Cloud(
                [
                    f"--model={tiny().folder}", *_FLAGS, f"--ledger={ledger}", f"--cache-dir={folder / 'cache'}",
                    "--trusted-proxies=127.0.0.1", *flags,
                ],
                log=ledger.with_suffix(".log"),
            )
            for ledger in self._ledgers
        ]  # fmt: skip
        self._says_ready = not health_by_tls
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for cloud in self.clouds:
            self._stack.enter_context(cloud)
        if self._says_ready:
            for cloud in self.clouds:
                cloud.wait_until_ready(_START_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def ports(self) -> list[int]:
        return [cloud.port for cloud in self.clouds]

    @property
    def count(self) -> int:
        return len(self.clouds)

    def edge(self, url: str, *, fps: float = 0, frames: int = 60, **settings: str) -> EdgeRun:
        """Start an edge of this network."""
        defaults = {
            "model": str(tiny().folder), "engine": "openvino", "precision": "float32", "threads": "1",
            "cloud_url": url, "source": SOURCE.format(fps=fps, frames=frames), "split_point": "pool",
            "queue_size": "600" if fps else "2", "deadline_s": "10", "cache_dir": str(self.folder / "cache"),
            "session": "off",  # a session's frames are one cloud's, and these tests are about where each goes
        }  # fmt: skip
        return EdgeRun([sys.executable, "-m", "edge"], environment() | edge_settings(defaults | settings))

    def answered(self, records: list[Row]) -> list[int]:
        """How many of these frames each cloud says it has answered."""
        return [
            sum(line["outcome"] == "answered" for line in lines_of(read_rows(ledger), records))
            for ledger in self._ledgers
        ]

    def join(self, run: EdgeRun) -> Mapping[str, Any]:
        """Check the records of a run that has ended against all ledgers: no frame lost, none recorded twice."""
        lines = [line for ledger in self._ledgers for line in lines_of(read_rows(ledger), run.records)]
        counts = summary(run)
        faults = faults_of(run.records, lines, frames_in=counts["frames in"], dropped=counts["dropped"])
        assert not faults, "\n".join([*faults[:5], run.said()])
        return counts
