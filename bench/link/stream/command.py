"""`python -m bench link --stream`: starts the clouds, plays every cell, writes the tables."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.harness.keys import Keys
from bench.harness.priority import on_core
from bench.harness.system import Cloud
from bench.harness.worker import Worker
from bench.link.kept import Kept
from bench.link.stream.choices import HTTP, SESSION, Choice, Way, knows_sessions, way_flags
from bench.link.stream.clip import Clip
from bench.link.stream.conditions import FREE, Condition
from bench.link.stream.figures import Figures, figures, sent_of
from bench.link.stream.judge import Judge
from bench.link.stream.options import StreamOptions
from bench.link.stream.run import EDGE, Cell, run
from bench.link.stream.tables import Row, line, tables
from bench.report.report import Findings, about, commit, publish
from shared.codecs.calibrated.profile import Profile
from shared.network.partition import OUTPUT
from shared.wire.http import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OVERHEAD_FPS = 10.0
_AROUND_S = 18.0
"""What a cell takes besides: the edge starts, ends, and is judged. A guess."""
_PATIENCE_S, _AGAIN_S, _ATTEMPTS = 60.0, 2.0, 10


class Job(NamedTuple):
    """One cell to be measured."""

    clip: Clip
    condition: Condition
    choice: Choice
    way: Way
    fps: float
    tls: bool = False

    @property
    def key(self) -> dict[str, Any]:
        """What tells it from all others of the run."""
        return {
            "clip": self.clip.name, "link": self.condition.name, "choice": str(self.choice), "way": self.way,
            "fps": round(self.fps, 3), "tls": self.tls,
        }  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    return StreamOptions.read(arguments).report(_run, RuntimeError, ValueError, OSError)


def jobs(options: StreamOptions) -> tuple[list[Job], list[str]]:
    """All cells, clip by clip, and what is left out, with the reason. Raises ValueError."""
    ways = tuple(way for way in options.wanted_ways() if way == HTTP or knows_sessions())
    left_out = [] if ways == options.wanted_ways() else [f"{SESSION}: this checkout's edge has none"]
    choices = []
    for choice in options.chosen():
        if choice.unknown:
            left_out.append(f"{choice}: {choice.unknown}")
        elif not choice.ways(ways):
            left_out.append(f"{choice}: it travels in sessions only")
        else:
            choices.append(choice)
    found: list[Job] = []
    overhead = Choice.read(options.overhead) if options.overhead else None
    for number, clip in enumerate(Clip.of(Path(path)) for path in options.clips):
        fps = options.fps or float(clip.own_fps)
        for condition, choice in itertools.product(options.conditions(), choices):
            if choice.point != OUTPUT or condition.name == options.links[0]:  # no link changes it
                found += [Job(clip, condition, choice, way, fps) for way in choice.ways(ways)]
        if overhead and not number:
            free = Condition.read(FREE)
            found += [
                Job(clip, free, overhead, way, OVERHEAD_FPS, tls)
                for tls, way in itertools.product((False, True), overhead.ways(ways))
            ]
    return found, left_out


@dataclass(frozen=True)
class _Stage:
    """Everything that cells share."""

    options: StreamOptions
    clouds: dict[bool, Cloud]
    """By whether it asks for TLS."""
    judge: Worker[Judge]
    profiles: Path
    folder: Path
    edge_core: int

    def measure(self, job: Job) -> Figures:
        options, choice = self.options, job.choice
        profile = self._profile(job)
        flags = [
            *options.setup.like(self.clouds[False]).flags(), *choice.flags(profile), *way_flags(job.way),
            f"--deadline-s={options.deadline_s:g}", f"--in-flight={options.in_flight}", *options.edge_flags.split(),
        ]  # fmt: skip
        cell = Cell(job.clip, job.fps, flags, options.warm_s, options.seconds, options.seed, self.edge_core)
        stretch = run(cell, job.condition, self.clouds[job.tls], self.folder)
        sent = sent_of(stretch.records, job.clip, job.fps)
        found = self.judge.ask(Judge.judge, str(choice), profile, [each for _, each in sent]) if sent else []
        judged = [(record, one) for (record, _), one in zip(sent, found, strict=True)]
        return figures(stretch, judged, self.judge.ask(Judge.macs, choice.point))

    def _profile(self, job: Job) -> Path | None:
        """The choice's, fitted if it is not there yet. The clouds have it, and what they compile, before anything is counted."""
        text, path = str(job.choice), None
        if job.choice.point == OUTPUT:
            return None
        if job.choice.step is not None:
            path = self._fitted(job)
        frame = self.judge.ask(Judge.sample, text, path)
        for cloud in self.clouds.values():
            _ask(cloud, "POST", "/model", frame)
        return path

    def _fitted(self, job: Job) -> Path:
        path = self.profiles / f"{job.clip.name}-{self.options.model}-{job.choice.profile_name}.safetensors"
        if not path.exists():
            print(f"fitting {path.name}", flush=True)
            self.judge.ask(Judge.fit, str(job.choice), path)
        for cloud in self.clouds.values():
            data = path.read_bytes()
            _ask(cloud, "PUT", f"/profiles/{Profile.from_bytes(data).digest.hex()}", data)
        return path


def _run(options: StreamOptions) -> list[Path]:
    """The files that were written."""
    todo, left_out = jobs(options)
    if not todo:
        raise ValueError(f"nothing is left to measure: {'; '.join(left_out)}")
    measured_on = about(options.weights, ", ".join(options.clips))
    wanted = {
        name: str(value) for name, value in asdict(options).items() if name not in ("resume", "results")
    }
    kept = Kept(
        options.results / "link-stream.cells.jsonl", {"commit": commit(), **wanted}, resume=options.resume
    )
    seconds = sum(kept.get(job.key) is None for job in todo) * (options.warm_s + options.seconds + _AROUND_S)
    print(f"{len(todo)} cells, about {seconds / 60:.0f} minutes", flush=True)
    rows, watched = [], None
    with _stage(options, tls=any(job.tls for job in todo)) as stage:
        for number, job in enumerate(todo, 1):
            found = kept.get(job.key)
            if found is None:
                if watched != job.clip:
                    stage.judge.ask(Judge.watch, job.clip)
                    watched = job.clip
                try:
                    found = stage.measure(job).kept()
                except RuntimeError as error:  # the others are still worth their time
                    left_out.append(f"{' '.join(str(each) for each in job.key.values())}: {_short(error)}")
                    print(f"{number}/{len(todo)} {left_out[-1]}\n{error}", file=sys.stderr, flush=True)
                    continue
                kept.add(job.key, found)
            rows.append(Row(job.key, Figures(**found)))
            print(f"{number}/{len(todo)} {line(rows[-1])}", flush=True)
        engine = f"{stage.clouds[False].engine()} on either side"
    if not rows:
        raise RuntimeError(f"no cell could be measured: {'; '.join(left_out)}")
    findings = Findings(engine, tables(rows, options, left_out))
    return publish(options.results, "link-stream", findings, measured_on)


@contextlib.contextmanager
def _stage(options: StreamOptions, *, tls: bool) -> Iterator[_Stage]:
    cores = sorted(os.sched_getaffinity(0))
    setup = options.setup
    with contextlib.ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="splitdnn-stream-")))
        keys = {False: None, **({True: Keys.make(folder / "keys", [EDGE])} if tls else {})}
        with on_core(cores[-1]):
            flags = [*setup.flags(), *options.cloud_flags.split()]
            clouds = {guarded: ends.enter_context(Cloud(flags, keys=each)) for guarded, each in keys.items()}
            for cloud in clouds.values():
                cloud.wait_until_ready()
        judge = ends.enter_context(Worker(Judge, setup.like(clouds[False]), options.model))
        profiles = options.profiles or folder
        profiles.mkdir(parents=True, exist_ok=True)
        # The camera and the link need little, and leave the edge's core to it.
        ends.enter_context(on_core(cores[-1]))
        yield _Stage(options, clouds, judge, profiles, folder, cores[0])


def _short(error: RuntimeError) -> str:
    """The first line of what a process said when it failed."""
    return str(error).partition("\n")[0]


def _ask(cloud: Cloud, method: str, path: str, body: bytes) -> None:
    """Give a cloud a profile or a frame. Raises RuntimeError if it does not take it within a minute."""
    headers = {**cloud.headers(), "Content-Type": CONTENT_TYPE}
    request = urllib.request.Request(cloud.url + path, data=body, headers=headers, method=method)
    for attempt in itertools.count():
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE_S, context=cloud.context):
                return
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:300]
            if error.code < 500 or attempt == _ATTEMPTS:
                raise RuntimeError(f"the cloud answers {method} {path} with {error.code} {said}") from None
        time.sleep(_AGAIN_S)
