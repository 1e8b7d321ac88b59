"""`python -m edge` in this process."""

from __future__ import annotations

import logging
import threading

import pytest
from kits.edge_main import LOG_LINE, harmless_signals

from edge.__main__ import main
from shared.process.settings import KNOWN_NAMES, PREFIX

_LONG_S = 60.0


@pytest.fixture
def as_before(monkeypatch, cache_dir):
    """main() settles logs, threads and signals for a whole process; here it is only a part of one."""
    for name in KNOWN_NAMES:
        monkeypatch.delenv(PREFIX + name, raising=False)
    monkeypatch.setenv(f"{PREFIX}CACHE_DIR", cache_dir)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with harmless_signals(monkeypatch):
        yield
    for thread in threading.enumerate():
        if thread.name.startswith(
            "start_"
        ):  # a process would have ended it: it loads the network of a start that failed
            thread.join(_LONG_S)
    root.handlers[:] = handlers
    root.setLevel(level)  # which also forgets what loggers remember of it


@pytest.fixture
def edge(capfd, as_before):
    """Runs main; gives exit status, stdout and what is on stderr besides log lines."""

    def run(*arguments):
        status = main([str(each) for each in arguments])
        out, err = capfd.readouterr()
        run.log = [line for line in err.splitlines() if LOG_LINE.fullmatch(line)]
        return status, out, [line for line in err.splitlines() if not LOG_LINE.fullmatch(line)]

    return run
