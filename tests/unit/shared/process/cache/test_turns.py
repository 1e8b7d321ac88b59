"""Processes take turns: one at a time, nobody leaves before the others have had theirs, and nobody waits for ever."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest

from shared.process.cache.turns import turn

if TYPE_CHECKING:
    from pathlib import Path

LONG_S = 60.0


class Other:
    """Takes its turn on another thread: locks are those of open files, so that it is as good as another process."""

    def __init__(self, path: Path, events: list[str], name: str) -> None:
        self.inside, self.end, self.asks = threading.Event(), threading.Event(), threading.Event()
        self._path, self._events, self._name = path, events, name
        self.waited = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _sleep(self, _seconds: float) -> None:
        self.asks.set()
        threading.Event().wait(0.001)

    def _run(self) -> None:
        with turn(self._path, "times", LONG_S, self._sleep) as self.waited:
            self._events.append(f"{self._name} begins")
            self.inside.set()
            assert self.end.wait(LONG_S)
            self._events.append(f"{self._name} ends")
        self._events.append(f"{self._name} leaves")


def test_one_at_a_time_and_all_leave_together(tmp_path: Path) -> None:
    events: list[str] = []
    path = tmp_path / "turn"
    first = Other(path, events, "first")
    assert first.inside.wait(LONG_S)
    second = Other(path, events, "second")
    assert second.asks.wait(LONG_S)
    assert events == ["first begins"]
    first.asks.clear()
    first.end.set()
    assert second.inside.wait(LONG_S)
    assert first.asks.wait(LONG_S), "it waits for the second"
    assert events == ["first begins", "first ends", "second begins"]
    second.end.set()
    for each in (first, second):
        each.thread.join(LONG_S)
    assert events[:4] == ["first begins", "first ends", "second begins", "second ends"]
    assert set(events[4:]) == {"first leaves", "second leaves"}
    assert (first.waited, second.waited) == (False, True)
    assert list(tmp_path.iterdir()) == []


def test_many_never_overlap(tmp_path: Path) -> None:
    """Also where one removes the file that others have just opened."""
    path, inside, most, lock = tmp_path / "turn", [0], [0], threading.Lock()

    def run() -> None:
        with turn(path, "times", LONG_S, lambda _: threading.Event().wait(0.0005)):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            threading.Event().wait(0.001)
            with lock:
                inside[0] -= 1

    threads = [threading.Thread(target=run, daemon=True) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_S)
    assert most == [1]
    assert list(tmp_path.iterdir()) == []


def test_patience_ends(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    events: list[str] = []
    path = tmp_path / "turn"
    hanging = Other(path, events, "hanging")
    assert hanging.inside.wait(LONG_S)
    naps: list[float] = []
    with turn(path, "times engines", 2.0, naps.append) as waited:
        assert waited
        assert sum(naps) == pytest.approx(2.0)
    assert sum(naps) == pytest.approx(4.0), "once for its turn, once for the other to leave"
    assert [record.getMessage() for record in caplog.records] == [
        "waiting for another process that times engines",
        "waiting until no other process times engines",
    ]
    hanging.end.set()
    hanging.thread.join(LONG_S)
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_the_block_ends_the_turn(tmp_path: Path) -> None:
    with pytest.raises(KeyError), turn(tmp_path / "turn", "times", 1.0):
        raise KeyError("bug")
    assert list(tmp_path.iterdir()) == []
    naps: list[float] = []
    with turn(tmp_path / "turn", "times", 1.0, naps.append) as waited:
        assert not waited
    assert naps == []


def test_where_there_can_be_no_lock_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"), turn(tmp_path / "missing" / "turn", "times", 1.0):
        pass
