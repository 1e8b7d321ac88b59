"""The base of the fault tests: edge -> a link that can be broken -> a cloud that can be killed, and the join of their records."""

from __future__ import annotations

import re
import statistics
import sys
import time
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kits import common as kit
from kits.deployments import edge_settings
from kits.edge_run import EdgeRun

from bench.emulator.link import Link
from bench.emulator.thread import EmulatorThread
from bench.harness.keys import Keys
from bench.harness.process import environment
from bench.harness.system import Cloud
from bench.soak.ledger import faults_of, read_rows, session_of, sessions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from bench.soak.ledger import Row

SPLIT_POINT = "features.13"
FPS = 25
EDGE = "edge"
"""The name of the edges' token, where there is one."""
DEADLINE_S = 1.0
RECOVERY_S = 5.0
"""It takes 2 s on an idle machine; tests may share two cores with others."""
SLACK_S = 1.0
_START_S = 120.0
MOBILENET = {"model": "mobilenet_v2", "weights": "random", "split_point": SPLIT_POINT}
_SAME = {"engine": "openvino", "precision": "float32", "threads": "1"}


def paced(frames: int = 0, fps: float = FPS) -> str:
    """A small camera. With the queue that `Chaos.edge` sets, none of its frames may be dropped."""
    return f"synthetic:fps={fps:g},frames={frames},width=160,height=120"


def at_once(frames: int) -> str:
    """The same camera, as fast as it is read; none of its frames is dropped, whatever the queue."""
    return paced(frames, 0)


class Chaos:
    """One cloud, one link, and edges one after another."""

    def __init__(
        self, folder: Path, network: Mapping[str, str], *, guarded: bool = False, workers: int = 1
    ) -> None:
        """`network`: settings of both sides that say which one it is, and where it is cut. `guarded`: with TLS and a token.

        `workers`: the cloud's, of which each has one thread.
        """
        self._cache = str(folder.parent / "cache")  # of all systems of this run, which have the same networks
        self._same = {**_SAME, **network}
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in self._same.items()]
        self._ledgers = [folder / f"ledger-{number}.jsonl" for number in range(1, workers + 1)]
        cloud_flags = [
            *flags, f"--cache-dir={self._cache}", f"--ledger={folder}/ledger-{{worker}}.jsonl", f"--workers={workers}",
            f"--threads={workers}",
        ]  # fmt: skip
        self.keys = Keys.make(folder / "keys", [EDGE]) if guarded else None
        self.cloud = Cloud(cloud_flags, log=folder / "cloud.log", keys=self.keys)
        self.link = EmulatorThread("127.0.0.1", self.cloud.port)
        self._edges: list[EdgeRun] = []
        self._earlier: set[int] = set()
        self._mark = 0

    def ensure_up(self) -> None:
        """Bring up a cloud that takes frames and a link that does nothing to them, whatever a test has left."""
        if not self.cloud.is_up():
            self.cloud.start()
        self.cloud.wait_until_ready(_START_S)
        self.link.blackout(on=False)
        self.link.black_hole(on=False)
        self.link.refuse(on=False)
        self.link.change(Link())

    def restart_cloud(self, *flags: str, variables: Mapping[str, str] | None = None) -> float:
        """Start the cloud; returns when it took frames again, by the wall clock."""
        self.cloud.start(*flags, variables=variables)
        return self.cloud.wait_until_ready(_START_S)

    def edge(self, source: str, *, variables: Mapping[str, str] | None = None, **settings: str) -> EdgeRun:
        """Start an edge behind the link, unless `cloud_url` says elsewhere."""
        defaults = {
            "cloud_url": f"{'https' if self.keys else 'http'}://127.0.0.1:{self.link.port}", "cache_dir": self._cache, "source": source,
            "queue_size": "2" if "fps=0," in source else "600", "deadline_s": str(DEADLINE_S),
        }  # fmt: skip
        if self.keys:
            defaults |= {
                "ca": str(self.keys.folder / "ca.crt"),
                "cloud_token_file": str(self.keys.token_file(EDGE)),
            }
        given = edge_settings(self._same | defaults | settings)
        run = EdgeRun([sys.executable, "-m", "edge"], environment() | given | dict(variables or {}))
        self._edges.append(run)
        return run

    def end_edges(self) -> None:
        """End what a failed test has left. Its lines count for no later test, even those that are still to come."""
        for run in self._edges:
            run.end()
        self._edges.clear()
        lines = self._lines()
        self._mark = len(lines)
        self._earlier |= sessions([line for line in lines if line["frame_id"]])

    def _lines(self) -> list[Row]:
        rows = [row for ledger in self._ledgers for row in read_rows(ledger)]
        return sorted(rows, key=lambda row: str(row["time"]))

    def ledger(self) -> list[Row]:
        """The cloud's lines of this test, without those of runs that were joined already."""
        return [
            line
            for line in self._lines()[self._mark :]
            if not (line["frame_id"] and session_of(line["frame_id"]) in self._earlier)
        ]

    def join(self, run: EdgeRun, frames: int | None = None) -> list[Row]:
        """Check a run that has ended against the ledger; `frames` is how many its source has, None if it was stopped."""
        counts = summary(run)
        lines = self.ledger()
        wrong = faults_of(run.records, lines, frames_in=counts["frames in"], dropped=counts["dropped"])
        if frames is not None and counts["frames in"] != frames:
            wrong.append(f"the edge has read {counts['frames in']} of {frames} frames")
        for name in ("cloud", "edge"):
            if counts[f"answered by {name}"] != run.answered_by().count(name):
                wrong.append(f"its summary says {counts[f'answered by {name}']} frames answered by {name}")
        self._earlier |= sessions(run.records)
        assert not wrong, "\n".join([f"{len(wrong)} faults:", *wrong[:5], "the edge said:", run.said()])
        return lines

    def close(self) -> None:
        self.end_edges()
        self.link.stop()
        self.cloud.close()


def summary(run: EdgeRun) -> dict[str, int]:
    """The counts in an edge's closing summary."""
    found = re.findall(
        r"^(frames in|answered by cloud|answered by edge|dropped) +(\d+)$",
        "\n".join(run.errors),
        re.MULTILINE,
    )
    assert len(found) == 4, f"no summary:\n{run.said()}"
    return {name: int(count) for name, count in found}


def stop(run: EdgeRun) -> list[Row]:
    """Send SIGTERM; returns the edge's records."""
    run.terminate()
    return run.finish()


def wait_for_cloud(run: EdgeRun, more: int = 10) -> None:
    """Wait until the cloud has answered `more` frames that were read from now on."""
    _wait_for_answers(run, "cloud", more)


def wait_for_edge(run: EdgeRun, more: int = 3) -> None:
    """Wait until the edge has answered `more` frames that were read from now on."""
    _wait_for_answers(run, "edge", more)


def wait_for_still(run: EdgeRun) -> None:
    """Wait until a frame that was read from now on has got the answer of an earlier one."""
    _wait_for_answers(run, "still", 1)


def _wait_for_answers(run: EdgeRun, by: str, more: int) -> None:
    since = time.time()

    def enough() -> bool:
        assert run.is_up(), run.said()
        return sum(each["answered_by"] == by for each in read_since(run.records, since)) >= more

    kit.wait_for(enough, f"{more} frames answered by {by}\n{run.said()}", 120)


def captured(record: Row) -> float:
    """When the frame was read, by the wall clock."""
    return datetime.fromisoformat(record["time"]).timestamp()


def read_since(records: Sequence[Row], since: float, until: float = float("inf")) -> list[Row]:
    """The records of frames that were read in this time."""
    return [record for record in list(records) if since <= captured(record) < until]


def done_between(records: Sequence[Row], since: float, until: float) -> list[Row]:
    """The records of frames that were read from `since` on and done before `until`: those read later, and those that waited, are not."""
    return [each for each in read_since(records, since) if captured(each) + each["latency_ms"] / 1e3 < until]


def recovery_s(run: EdgeRun, lost_at: float, back_at: float) -> float:
    """Seconds from when the cloud could answer again to the capture of the first frame that it did answer."""
    answered = [each for each in read_since(run.records, lost_at) if each["answered_by"] == "cloud"]
    assert answered, f"the cloud has answered no frame again\n{run.said()}"
    return captured(answered[0]) - back_at


def check_recovery(run: EdgeRun, lost_at: float, back_at: float, limit_s: float = RECOVERY_S) -> float:
    took = recovery_s(run, lost_at, back_at)
    print(f"recovery: {took:.2f} s")  # shown by pytest -rP, and with a failure
    assert took <= limit_s, (
        f"the edge went back to the cloud {took:.2f} s after it was ready; accepted: {limit_s:g} s"
    )
    return took


def check_waits(records: Sequence[Row], deadline_s: float = DEADLINE_S) -> None:
    """Check that no frame waits for the cloud longer than the deadline, or for earlier frames longer than twice that."""
    for record in records:
        sent_s, latency_s = record["stages_ms"].get("send", 0.0) / 1e3, record["latency_ms"] / 1e3
        assert sent_s <= deadline_s + SLACK_S, f"frame {record['frame']} waited {sent_s:.2f} s for the cloud"
        assert latency_s <= 2 * deadline_s + SLACK_S, f"frame {record['frame']} took {latency_s:.2f} s"


def median_ms(records: Sequence[Row]) -> float:
    assert records, "no frames"
    return statistics.median(record["latency_ms"] for record in records)


def fallbacks(records: Sequence[Row]) -> set[Any]:
    return {record["fallback"] for record in records if record["answered_by"] == "edge"}


@contextmanager
def running(
    folder: Path, network: Mapping[str, str] = MOBILENET, *, guarded: bool = False, workers: int = 1
) -> Iterator[Chaos]:
    """A started system, ended in all cases."""
    chaos = Chaos(folder, network, guarded=guarded, workers=workers)
    try:
        chaos.link.start()
        yield chaos
    finally:
        chaos.close()
