"""Whether others computed meanwhile, from a /proc/stat of the test's own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from shared.engines.choosing.busy import BusyMeter

if TYPE_CHECKING:
    from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class Machine:
    """Cores on which we and others compute for so many seconds."""

    def __init__(self, path: Path, cores: int) -> None:
        self.path = path
        self.cores = cores
        self.now = 50.0
        self.own = 7.0
        self.used = [[1.0] * 10 for _ in range(cores)]
        self.write()

    def write(self) -> None:
        lines = ["cpu  1 2 3 4 5 6 7 8 9 10"]
        for number, fields in enumerate(self.used):
            lines.append(f"cpu{number} " + " ".join(str(round(each * TICKS)) for each in fields))
        self.path.write_text("\n".join([*lines, "intr 12345 0 0", "ctxt 1", ""]))

    def meter(self, threads: int, cores: set[int] | None = None) -> BusyMeter:
        return BusyMeter(
            threads,
            stat=self.path,
            cores=set(range(self.cores)) if cores is None else cores,
            clock=lambda: self.now,
            own_cpu=lambda: self.own,
        )

    def pass_time(self, seconds: float, own: float, others: dict[int, float], field: int = 0) -> None:
        """`own` seconds of ours on core 0, and others' by core, in this field of the line."""
        self.now += seconds
        self.own += own
        self.used[0][0] += own
        for core, each in others.items():
            self.used[core][field] += each
        self.write()


def busy(path: Path, cores: int, threads: int, own: float, others: dict[int, float], **options: int) -> bool:
    machine = Machine(path, cores)
    meter = machine.meter(threads)
    machine.pass_time(1.0, own, others, **options)
    return meter.busy()


def test_others_make_a_machine_busy_if_they_take_what_our_threads_could_have_had(tmp_path: Path) -> None:
    path = tmp_path / "stat"
    for cores, threads, own, others, expected in (
        (2, 2, 2.0, {}, False),
        (2, 2, 1.9, {1: 0.1}, False),  # a twentieth of our time
        (2, 2, 1.5, {1: 0.5}, True),
        (2, 1, 1.0, {1: 0.9}, False),  # one core was left to them
        (2, 1, 0.7, {0: 0.3, 1: 1.0}, True),
        (8, 2, 2.0, {2: 1.0, 3: 1.0, 4: 1.0}, False),
        (1, 4, 1.0, {}, False),  # more threads than cores
        (1, 4, 0.6, {0: 0.4}, True),
    ):
        assert busy(path, cores, threads, own, others) == expected, (cores, threads, own, others)


def test_waiting_is_not_computing_but_another_virtual_machine_is(tmp_path: Path) -> None:
    path = tmp_path / "stat"
    expected = {0: True, 1: True, 2: True, 3: False, 4: False, 5: True, 6: True, 7: True, 8: False, 9: False}
    for field, is_busy in expected.items():
        assert busy(path, 2, 2, 1.0, {1: 1.0}, field=field) == is_busy, field


def test_only_the_cores_that_we_may_use_count(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "stat", 4)
    ours, all_cores = machine.meter(2, {0, 1}), machine.meter(4)
    machine.pass_time(1.0, 2.0, {2: 1.0, 3: 1.0})
    assert not ours.busy()
    assert all_cores.busy()


@pytest.mark.parametrize("text", [None, "", "cpu0\n", "cpu0 a b c d e f g h\n", "cpu0 1 2\n"])
def test_where_nothing_is_known_of_others_the_machine_is_idle(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "stat"
    machine = Machine(path, 1)
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    meter = machine.meter(1)
    machine.now, machine.own = 60.0, 17.0
    assert not meter.busy()


def test_it_looks_at_this_machine_by_default() -> None:
    assert BusyMeter(1).busy() in (True, False)
