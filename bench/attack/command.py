"""`python -m bench attack`: what an honest client notices while another one attacks, who has a valid token too.

Everything runs on this machine, on the loopback address, and is ended with the command.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.attack.attacks.known import ATTACKS
from bench.attack.client import Account, Client, attacker, honest
from bench.attack.verdict import (
    MAX_LOG_BYTES_A_MINUTE,
    MAX_MEMORY_RATIO,
    MAX_P99_RATIO,
    MAX_TURN_S,
    Outcome,
    Spell,
    told,
)
from bench.attack.victim import Memory, Victim
from bench.harness.frames import CODEC, build_frames, read_frames
from bench.harness.keys import WATCHER, Keys
from bench.harness.options import ReportOptions, names, number_between, option, positive
from bench.harness.system import Setup
from bench.report.progress import Outline, Progress
from bench.report.report import Findings, Table, about, publish
from bench.report.spread import several
from shared.security.rights import parse_rights

if TYPE_CHECKING:
    from collections.abc import Sequence

HONEST, ATTACKER = "honest", "attacker"
RIGHTS = {
    HONEST: parse_rights("frames,profiles"),
    ATTACKER: parse_rights("frames,profiles,bundles,json"),
    WATCHER: parse_rights("metrics"),
}
_ATTACKERS_NICE = 19
_LEAD_S = 1.0
"""How long an attack goes on before it is looked at."""
_REST_S = 1.0
_WARM_S = 3.0
_FRAMES = 8


@dataclass(frozen=True)
class AttackOptions(ReportOptions):
    """Quiet spells and attacked ones in turn, for each attack beside a cloud of its own. Exit status 1 if a target is missed.

    The honest client sends a frame every 100 ms. The attacker has a valid token too, a core of its own where there are two, and nice 19.
    """

    command = "attack"

    attacks: tuple[str, ...] = option((), f"(default: all): {', '.join(ATTACKS)}", type=names)
    rounds: int = option(3, "quiet and attacked spells of each attack", quick=1, type=positive)
    seconds: float = option(6.0, "of each spell", quick=4.0, type=number_between(float, 1, 600))
    engine: str = option("openvino", "of the cloud")
    weights: str = option("random", "of the cloud's ResNet-50")
    split_point: str = option("layer4", "of the honest client")

    def wrong(self) -> str | None:
        if unknown := [name for name in self.attacks if name not in ATTACKS]:
            return f"--attacks {', '.join(unknown)}: there are {', '.join(ATTACKS)}"
        return None

    def chosen(self) -> list[str]:
        """The attacks, in order."""
        return list(self.attacks or ATTACKS)

    @property
    def setup(self) -> Setup:
        return Setup(self.weights, "synthetic", self.engine, threads=1)


def main(arguments: Sequence[str]) -> int:
    """Attack, and print the table. Exit status 1 if a target is missed, 2 if it could not be measured."""
    options = AttackOptions.read(arguments)
    try:
        outcomes = _measure(options)
    except RuntimeError as error:
        print(f"python -m bench attack: {error}", file=sys.stderr)
        return 2
    files = publish(
        options.results,
        "attack",
        Findings(f"{options.engine}, 1 thread", [_table(options, outcomes)]),
        about(options.weights, "synthetic"),
    )
    print(f"\n{told(outcomes)}", "\nwritten:", *files, sep="\n  ")
    return 1 if any(each.missed() for each in outcomes) else 0


def _measure(options: AttackOptions) -> list[Outcome]:
    chosen, outcomes = options.chosen(), []
    each_s = 8 + _WARM_S + options.rounds * (2 * options.seconds + _LEAD_S + _REST_S)
    with tempfile.TemporaryDirectory(prefix="splitdnn-attack-") as temporary:
        folder = Path(temporary)
        keys = Keys.make(folder, (), RIGHTS)
        build_frames(folder, options.setup, [options.split_point], _FRAMES)
        frames = read_frames(folder, options.split_point)
        outline = Outline("attack", len(chosen), len(chosen) * each_s)
        with contextlib.closing(Progress([outline])) as progress:
            progress.section()
            for name in chosen:
                progress.step(name)
                outcomes.append(_withstand(options, name, keys, frames))
                progress.clear()
                print(outcomes[-1].line(), file=sys.stderr, flush=True)
    return outcomes


def _withstand(options: AttackOptions, name: str, keys: Keys, frames: Sequence[bytes]) -> Outcome:
    """One attack, beside a cloud that has seen no other. Raises RuntimeError."""
    attack, outcome = ATTACKS[name], Outcome(name)
    others, last = _cores()
    log = keys.folder / f"{name.replace(' ', '-')}.log"
    with contextlib.ExitStack() as ends:
        cloud = Victim(options.setup, attack, keys, others, log)
        ends.callback(cloud.close)
        cloud.begin()
        good = Account(cloud.url, keys.token(HONEST), cloud.ca, frozenset(others))
        bad = Account(cloud.url, keys.token(ATTACKER), cloud.ca, frozenset(last), _ATTACKERS_NICE)
        client = ends.enter_context(Client(honest, good, frames))
        enemy = ends.enter_context(Client(attacker, bad, name))
        _spell(cloud, client, _WARM_S)
        sent: dict[str, int] = {}
        for _ in range(options.rounds):
            outcome.quiet.append(_spell(cloud, client, options.seconds))
            enemy.begin(_LEAD_S + options.seconds)
            time.sleep(_LEAD_S)
            outcome.attacked.append(_spell(cloud, client, options.seconds))
            for status, count in enemy.result().items():
                sent[status] = sent.get(status, 0) + count
            time.sleep(_REST_S)
        outcome.sent = sent
        outcome.turn_s = cloud.longest_turn_s()
        if not cloud.is_up():
            raise RuntimeError(f"the cloud has ended:\n{cloud.said()}")
    return outcome


def _spell(cloud: Victim, client: Client, seconds: float) -> Spell:
    logged, start = cloud.log_bytes(), time.monotonic()
    with Memory(cloud.pid) as memory:
        client.begin(seconds)
        frames = client.result()
    return Spell(time.monotonic() - start, frames, memory.most, cloud.log_bytes() - logged)


def _cores() -> tuple[set[int], set[int]]:
    """Those of the cloud and the honest client, and the attacker's own."""
    cores = sorted(os.sched_getaffinity(0))
    return set(cores[:-1] or cores), {cores[-1]}


def _table(options: AttackOptions, outcomes: Sequence[Outcome]) -> Table:
    note = (
        f"ResNet-50 with {options.weights} weights; the honest client sends a frame at {options.split_point} ({CODEC}) every 100 ms; "
        f"quiet and attacked in turn, {several(options.rounds, 'round')} of {options.seconds:g} s each. "
        f"Targets: p99 at most {MAX_P99_RATIO:g} times the quiet one, none refused, memory at most {MAX_MEMORY_RATIO:g} times the quiet one, "
        f"no turn of the event loop above {1e3 * MAX_TURN_S:g} ms of processor time, at most {MAX_LOG_BYTES_A_MINUTE / 1e3:g} kB of log a minute."
    )
    return Table("attack", "An honest client under attack", note, [each.row() for each in outcomes])
