"""No kind of line fills the log, and none is left out without being counted."""

from __future__ import annotations

import logging
import re
import threading
from typing import TYPE_CHECKING

from shared.observing import flood
from shared.observing.flood import MINUTE_S, MOST_LINES, FloodGate

if TYPE_CHECKING:
    import pytest


class Kit:
    """A logger behind the gate, on a clock that the tests turn."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.lines: list[str] = []
        self.gate = FloodGate(lambda: self.now)

    def say(self, text: str, *values: object, name: str = "a") -> bool:
        record = logging.LogRecord(name, logging.WARNING, __file__, 1, text, values, None)
        passed = self.gate.filter(record)
        if passed:
            self.lines.append(record.getMessage())
        return passed


def test_of_one_kind_so_many_lines_a_minute_and_the_next_says_how_many_more_there_were() -> None:
    kit = Kit()
    assert sum(kit.say("refused: %s", number) for number in range(1000)) == MOST_LINES
    kit.now += MINUTE_S - 1
    assert not kit.say("refused: %s", "late")
    kit.now += 1
    assert kit.say("refused: %s", "50 % of them")
    assert (
        kit.lines[-1]
        == f"refused: 50 % of them (and {1000 - MOST_LINES + 1} more like this since, which were left out)"
    )
    assert kit.say("refused: %s", "again")
    assert kit.lines[-1] == "refused: again"


def test_other_kinds_are_not_held_up() -> None:
    kit = Kit()
    for number in range(1000):
        kit.say("refused: %s", number)
    assert kit.say("the camera is gone")
    assert kit.say("refused: %s", 1, name="b")


def test_a_line_every_two_seconds_is_written() -> None:
    kit = Kit()
    for _ in range(600):
        kit.say("it happens")
        kit.now += 2.0
    assert kit.lines == ["it happens"] * 600


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flood, "_MOST_KINDS", 10)
    kit = Kit()
    for number in range(1000):
        assert kit.say(f"never twice the same {number}")
        assert len(kit.gate._kinds) <= 10
    kit.now += MINUTE_S
    assert kit.say("and after a minute")


def test_lines_of_several_threads_are_counted_once_each() -> None:
    kit = Kit()
    passed: list[bool] = []
    threads = [
        threading.Thread(
            target=lambda: passed.extend(kit.say("refused: %s", number) for number in range(200))
        )
        for _ in range(4)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sum(passed) == MOST_LINES
    kit.now += MINUTE_S
    kit.say("refused: %s", "next")
    told = re.search(r"and ([0-9]+) more", kit.lines[-1])
    assert told is not None
    assert int(told[1]) == 800 - MOST_LINES
