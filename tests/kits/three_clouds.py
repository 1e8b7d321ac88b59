"""Three clouds as processes, each with a bundle's folder of its own, and edges that are given all of them."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kits import bundles
from kits.chaos import DEADLINE_S, summary
from kits.common import wait_for
from kits.deployments import edge_settings
from kits.edge_run import EdgeRun

from bench.harness.process import environment
from bench.harness.system import Cloud
from bench.soak.ledger import faults_of, lines_of, read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.soak.ledger import Row

COUNT = 3
_START_S = 120.0
_WAIT_S = 120.0
"""It takes seconds where there is a core for each process."""
_MOST_ANSWERS = 2 * COUNT
"""Once, and once more where a connection broke, at the first cloud and at the second; and a copy that tries whether the third is back."""


class Three:
    """Clouds that can be killed, started again, and given another bundle; one edge at a time."""

    def __init__(self, folder: Path) -> None:
        self._cache = folder / "cache"
        self.bundles = [folder / f"bundle-{number}" for number in range(COUNT)]
        self._ledgers = [folder / f"ledger-{number}.jsonl" for number in range(COUNT)]
        for path in self.bundles:
            give(path, seed=5)
        self.clouds = [
            Cloud(
                [f"--model={path}", f"--ledger={ledger}", "--threads=1", "--engine=openvino", "--precision=float32", "--serve-bundle",
                 f"--cache-dir={self._cache}"],
                log=folder / f"cloud-{number}.log",
            )
            for number, (path, ledger) in enumerate(zip(self.bundles, self._ledgers, strict=True))
        ]  # fmt: skip
        self.names = [cloud.url for cloud in self.clouds]
        self._edges: list[EdgeRun] = []

    def start(self) -> None:
        """All clouds, until they take frames."""
        for cloud in self.clouds:
            if not cloud.is_up():
                cloud.start()
        for cloud in self.clouds:
            cloud.wait_until_ready(_START_S)

    def edge(self, fps: float, **settings: str) -> EdgeRun:
        """A small camera before an edge that runs what the clouds run."""
        given = {
            "model": "cloud", "cloud_url": ",".join(self.names), "cache_dir": str(self._cache / "edge"), "threads": "1",
            "engine": "openvino", "precision": "float32", "split_point": "pool", "codec": "float32", "queue_size": "600",
            "deadline_s": str(DEADLINE_S), "source": f"synthetic:fps={fps:g},width=64,height=48",
        }  # fmt: skip
        run = EdgeRun([sys.executable, "-m", "edge"], environment() | edge_settings(given | settings))
        self._edges.append(run)
        return run

    def join(self, run: EdgeRun) -> list[Row]:
        """Check a run that has ended against the ledgers of all clouds: none lost, none recorded twice. Returns their lines."""
        rows = lines_of([row for ledger in self._ledgers for row in read_rows(ledger)], run.records)
        counts = summary(run)
        wrong = faults_of(
            run.records,
            rows,
            frames_in=counts["frames in"],
            dropped=counts["dropped"],
            most_answers=_MOST_ANSWERS,
        )
        assert not wrong, "\n".join([f"{len(wrong)} faults:", *wrong[:5], "the edge said:", run.said()])
        return rows

    def close(self) -> None:
        for run in self._edges:
            run.end()
        for cloud in self.clouds:
            cloud.close()


def give(folder: Path, seed: int) -> None:
    """Put the tiny bundle of this seed in the folder's place, at once."""
    made = folder.with_name(f"{folder.name}.being-made")
    shutil.copytree(bundles.tiny(seed=seed).folder, made)
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}.{time.monotonic_ns()}"))
    made.rename(folder)


def wait_for_answers(run: EdgeRun, more: int, **like: object) -> None:
    """Wait until so many more records have these values."""
    start = len(run.records)

    def enough() -> bool:
        assert run.is_up(), run.said()
        return (
            sum(all(record[key] == value for key, value in like.items()) for record in run.records[start:])
            >= more
        )

    try:
        wait_for(enough, f"{more} records like {like}", _WAIT_S)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{len(run.records)} records\n{run.said()}") from None


@contextmanager
def running(folder: Path) -> Iterator[Three]:
    """Started, and ended in all cases."""
    three = Three(folder)
    try:
        three.start()
        yield three
    finally:
        three.close()
