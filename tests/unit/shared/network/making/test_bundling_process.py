"""The child process that makes a bundle: its log becomes ours, and its error one line."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from kits.common import ROOT

from shared.errors import ModelError
from shared.network.choice import NetworkChoice
from shared.network.making import bundling_process
from shared.network.making.bundling_process import make_in_child

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow  # starts processes

CHOICE = NetworkChoice("net.py:build", weights="é.pth", recipe="size=96")


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Runs this code as the child."""

    def run(code: str) -> None:
        monkeypatch.setattr(bundling_process, "_PROGRAM", [sys.executable, "-c", code])
        make_in_child(CHOICE, tmp_path, 12.5)

    return run


def test_the_child_is_told_everything(child, tmp_path: Path) -> None:
    child("import sys, pathlib; pathlib.Path(sys.argv[2], 'told').write_text('|'.join(sys.argv[1:]))")
    told, folder, patience = (tmp_path / "told").read_text().split("|")
    assert NetworkChoice(**json.loads(told)) == CHOICE
    assert (folder, patience) == (str(tmp_path), "12.5")


def test_its_log_lines_become_ours(child, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    child(
        "import sys\n"
        "print('nobody reads this')\n"
        "for line in ['2026-11-28 22:20:30,253 INFO    shared.bundling.bundler: bundled é, 24 split points',\n"
        "             '2026-11-28 22:20:30,253 WARNING shared.torch_network.weights: weights=auto: no pretrained weights',\n"
        "             'UserWarning: something of a library', '', 'x' * 100_000]:\n"
        "    print(line, file=sys.stderr)\n"
    )
    said = [(each.levelname, each.name, each.getMessage()) for each in caplog.records]
    assert said[:3] == [
        ("INFO", "shared.bundling.bundler", "bundled é, 24 split points"),
        ("WARNING", "shared.torch_network.weights", "weights=auto: no pretrained weights"),
        ("DEBUG", "shared.network.making.bundling_process", "UserWarning: something of a library"),
    ]
    assert max(len(text) for _, _, text in said) <= 4000


def test_its_error_is_ours(child) -> None:
    for code, error in (
        ("print('splitdnn: unknown model a; did you mean b?', file=sys.stderr); sys.exit(2)", "unknown model a; did you mean b?"),
        ("print('splitdnn: one\\nsplitdnn: two', file=sys.stderr); sys.exit(2)", "one\ntwo"),
        ("raise ValueError('a bug')", "model net.py:build: the process that makes its bundle failed (exit status 1: ValueError: a bug)"),
        ("sys.exit(3)", "model net.py:build: the process that makes its bundle failed (exit status 3: no reason given)"),
        ("import os; os.kill(os.getpid(), 9)",
         "model net.py:build: the process that makes its bundle failed (killed by SIGKILL: is there enough memory?)"),
        ("import os; os.kill(os.getpid(), 15)", "model net.py:build: the process that makes its bundle failed (killed by SIGTERM)"),
    ):  # fmt: skip
        with pytest.raises(ModelError) as failure:
            child(f"import sys; {code}")
        assert str(failure.value) == error


def test_it_does_not_run_for_ever(child, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundling_process, "_MAX_S", -12.0)
    with pytest.raises(ModelError, match="killed by SIGKILL"):
        child("import threading; threading.Event().wait()")


ENDING = """
import sys, threading
from pathlib import Path
from shared.network.making import bundling_process
from shared.network.choice import NetworkChoice
from shared.process.exit import run_process

work = "import sys; end = open(sys.argv[2], 'w'); print('2026-11-28 22:20:30,253 INFO    child: working', file=sys.stderr, flush=True); sys.stdin.close(); import threading; threading.Event().wait()"
bundling_process._PROGRAM = [sys.executable, "-c", work, "", sys.argv[1]]
working = threading.Event()
bundling_process._pass_on = lambda text: working.set() or True
threading.Thread(target=bundling_process.make_in_child, args=(NetworkChoice("a"), Path(), 100), daemon=True).start()
run_process(lambda: 0 if working.wait(120) else 1)
"""


def test_it_ends_with_the_process_that_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen([sys.executable, "-c", ENDING, tmp_path / "pipe"], cwd=ROOT) as parent:
        with (tmp_path / "pipe").open("rb") as pipe:
            assert pipe.read() == b""  # until the child, which holds the other end, is gone
        assert parent.wait(150) == 0
