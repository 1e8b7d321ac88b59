"""The child process that downloads weights: what it is told, how it is ended, what its failure says."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from kits.weights import NAME, SMALL, cached_file, small_state

from shared.errors import ModelError
from shared.process.child import run_module
from shared.torch_network.weights import loading
from shared.torch_network.weights.loading import load_weights

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow  # processes, networks or compilations

ROOT = Path(__file__).resolve().parents[5]


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[subprocess.Popen[str]]]:
    """Lets a shell script play Python; gives the list that its processes will be in.

    A script that is to be interrupted writes to `$READY` first: the parent's clock starts when it has.
    """
    ready = tmp_path / "ready"
    processes: list[subprocess.Popen[str]] = []

    class Recorded(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)
            processes.append(self)

        def communicate(self, *args: object, **kwargs: object) -> tuple[str, str]:
            if ready.exists():
                ready.read_text()  # a pipe: returns when the script has written
                ready.unlink()
            return super().communicate(*args, **kwargs)

    def play(script: str) -> list[subprocess.Popen[str]]:
        if "$READY" in script:
            os.mkfifo(ready)
        executable = tmp_path / "python"
        executable.write_text(f"#!/bin/sh\nREADY='{ready}'\n{script}\n")
        executable.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(executable))
        monkeypatch.setattr(subprocess, "Popen", Recorded)
        return processes

    return play


# Python, as a shell cannot undo that SIGINT is ignored, which it is in whatever a script starts in the background.
HEEDS_INTERRUPT = (
    "import signal, sys, time; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    'open(sys.argv[1], "w").write("ready\\n"); time.sleep(1000)'
)


@pytest.mark.parametrize(
    ("script", "killed_by"),
    [
        (f"exec {sys.executable} -c '{HEEDS_INTERRUPT}' \"$READY\"", signal.SIGINT),
        ("trap '' INT; echo > $READY; exec sleep 1000", signal.SIGKILL),
    ],
    ids=["that heeds an interrupt", "that does not"],
)
def test_a_download_that_hangs_is_ended(
    script: str, killed_by: signal.Signals, child, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    monkeypatch.setattr(loading, "AUTO_SECONDS", 0.01)
    processes = child(script)
    assert load_weights(SMALL, "auto").description == "random:0"
    (process,) = processes
    assert process.returncode == -killed_by
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "the download did not finish within" in warning.getMessage()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo Traceback >&2; echo 'URLError: no route to host' >&2; exit 1", "URLError: no route to host"),
        ("exit 3", "no reason given"),
    ],
)
def test_a_download_that_fails_gives_its_last_line_as_the_reason(
    script: str, reason: str, child, cache: Path
) -> None:
    child(script)
    with pytest.raises(
        ModelError,
        match=f"^weights .* of .*: the download failed: {reason}; give the path of a state dict, or random$",
    ):
        load_weights(SMALL, NAME)


def test_the_child_is_told_what_to_fetch(child, cache: Path, tmp_path: Path) -> None:
    torch.save(small_state(), tmp_path / "fetched")
    child(f"echo \"$@\" > '{tmp_path}/arguments'; mv '{tmp_path}/fetched' '{cached_file(cache)}'")
    assert load_weights(SMALL, NAME).checkpoint is not None
    assert (tmp_path / "arguments").read_text().split()[-3:] == [
        "shared.torch_network.weights.loading",
        SMALL,
        NAME,
    ]


def test_the_child_ends_well_when_the_weights_are_there(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(small_state(), cached_file(cache))
    monkeypatch.chdir(ROOT)
    loading.download([*run_module("shared.torch_network.weights.loading"), SMALL, NAME], 120)
