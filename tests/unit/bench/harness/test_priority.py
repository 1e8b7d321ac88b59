"""A process goes after all others for a while, with all its threads, where that can be undone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.harness import priority

_WITH_A_THREAD = (
    "import sys, threading; threading.Thread(target=sys.stdin.read).start(); print('up', flush=True)"
)


@pytest.fixture
def process():
    with subprocess.Popen(
        [sys.executable, "-c", _WITH_A_THREAD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"up\n"
        yield process
        process.stdin.close()


def niceness(pid):
    return {os.getpriority(os.PRIO_PROCESS, int(each.name)) for each in Path(f"/proc/{pid}/task").iterdir()}


def test_all_threads_are_lowered_and_come_back_even_after_an_error(process):
    own = priority.own_niceness()
    if not priority.may_raise(own):
        pytest.skip("this user may not raise a priority")
    with pytest.raises(KeyError), priority.lowered(process.pid) as done:
        assert done
        assert niceness(process.pid) == {min(19, own + priority.LOWER_BY)}
        raise KeyError
    assert niceness(process.pid) == {own}


def test_who_may_not_raise_it_again_lowers_nothing(process, monkeypatch):
    monkeypatch.setattr(priority, "may_raise", lambda _: False)
    with priority.lowered(process.pid) as done:
        assert not done
        assert niceness(process.pid) == {priority.own_niceness()}


def test_the_limit_says_what_may_be_given_back(monkeypatch):
    monkeypatch.setattr(priority.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(priority.resource, "getrlimit", lambda _: (15, 15))
    assert [priority.may_raise(each) for each in (4, 5, 6)] == [False, True, True]


def test_a_process_that_has_ended_is_no_error():
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    with priority.lowered(ended.pid):
        pass
