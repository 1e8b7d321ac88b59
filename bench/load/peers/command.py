"""`python -m bench peers`: the same tail behind every server that can be installed here, round by round."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.options import kept_or_temporary
from bench.harness.worker import Worker
from bench.load.peers.environments import SkippedError, environment_of
from bench.load.peers.kept import Kept
from bench.load.peers.known import BARE, CONTENDERS
from bench.load.peers.life import FailedError, Stage, bare
from bench.load.peers.material import Maker, Material, material_of
from bench.load.peers.options import PeersOptions
from bench.load.peers.report import cost, title_of, trouble
from bench.report.progress import Outline, Progress
from bench.report.report import Findings, about, publish

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_CROSSINGS = 8
_OTHER_S = 12.0
"""What a life takes beside its measurements: a guess."""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str]) -> int:
    # RuntimeError: a process of the benchmark failed; the text is what it said.
    return PeersOptions.read(arguments).report(_run, RuntimeError)


def _run(options: PeersOptions) -> list[Path]:
    """The files that were written."""
    measured_on = about(options.weights, options.source)
    print(measured_on, flush=True)
    pythons = ready(options.chosen(), options.home, options.install_s)
    kept = Kept(options.keep, options.measurement)
    steps = 1 + options.rounds * len(pythons)
    seconds = steps * (5 * options.seconds + _OTHER_S)
    with (
        kept_or_temporary(None) as folder,
        contextlib.closing(Progress([Outline("peers", steps, seconds)])) as progress,
    ):
        progress.section()
        progress.step("cutting the tail and making requests")
        material = _material(options, folder)
        for name in progress.rounds(options.rounds, list(pythons), "{}"):
            stage = Stage(options, material, CONTENDERS[name], pythons[name])
            try:
                kept.add(bare(stage) if name == BARE else stage.live())
            except FailedError as error:
                _say(f"{title_of(name)}: this round is left out: {error}")
    lives = {name: kept.lives[name] for name in CONTENDERS if kept.lives.get(name)}
    if not lives:
        raise RuntimeError("nothing could be measured; the reasons stand above")
    tables = [cost(lives, options, material), trouble(lives, options)]
    return publish(options.results, "peers", Findings("openvino, in all of them", tables), measured_on)


def ready(
    chosen: Sequence[str],
    home: Path,
    install_s: float,
    say: Callable[[str], None] = _say,
    environment: Callable[..., Path] = environment_of,
) -> dict[str, Path]:
    """The interpreter of each contender that can be run here; of the others, the reason is said."""
    found = {}
    for name in chosen:
        if not CONTENDERS[name].is_peer:
            found[name] = Path(sys.executable)
            continue
        try:
            found[name] = environment(name, home, install_s, say)
        except SkippedError as skipped:
            say(f"{title_of(name)} is skipped: {skipped}")
    return found


def _material(options: PeersOptions, folder: Path) -> Material:
    with Worker(Maker, options.setup, options.model) as worker:
        made = worker.ask(
            Maker.make,
            str(folder),
            options.split_point,
            _CROSSINGS,
            options.carry,
            options.precision,
            options.codec,
        )
    return material_of(made)
