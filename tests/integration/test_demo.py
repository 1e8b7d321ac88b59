"""`make demo` with a detector: what is seen, how many, and again whenever that changes."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import urllib.request

import pytest
from kits import colour_detector as detector_kit
from kits.common import ROOT, START_S

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FRAMES = 90
CAMERA = f"synthetic:fps=30,frames={FRAMES},width=160,height=120"


def demo(cache: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """What the Makefile's target runs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPLITDNN_")}
    return subprocess.run(
        [sys.executable, "scripts/demo.py", *flags],
        cwd=ROOT, env=kept | {"SPLITDNN_CACHE_DIR": cache}, capture_output=True, text=True, timeout=START_S, check=False,
    )  # fmt: skip


def test_it_shows_what_is_seen_and_how_many_as_it_changes(tmp_path):
    network, labels = detector_kit.write_detector(tmp_path)
    flags = ["--model", str(network), "--labels", str(labels), "--task", "detect:threshold=0.5"]
    done = demo(str(tmp_path / "cache"), *flags, "--source", CAMERA)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^demo: cloud: colours, .* split points, default ", done.stdout, re.MULTILINE)
    changes = re.findall(r"^frame (\d+): (.+) \(\d+\.\d %\), answered by \w+", done.stdout, re.MULTILINE)
    assert len(changes) >= 2, done.stdout
    kinds = "|".join(detector_kit.LABELS)
    assert all(re.fullmatch(rf"\d+ ({kinds})(, \d+ ({kinds}))*", what) for _, what in changes), changes
    assert len({what for _, what in changes}) >= 2
    counts = re.search(r"^frames in +(\d+)$", done.stdout, re.MULTILINE)
    assert counts
    assert int(counts[1]) == FRAMES
    assert re.search(r"^warm +\d+$", done.stdout, re.MULTILINE), "no count of frames with what was seen"


def test_on_a_terminal_it_says_where_the_page_is_and_stays_until_ctrl_c(tmp_path):
    network, labels = detector_kit.write_detector(tmp_path)
    flags = ["--model", str(network), "--labels", str(labels), "--task", "detect:threshold=0.5"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPLITDNN_")}
    terminal, its_end = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "scripts/demo.py", *flags, "--source", "synthetic:fps=30,frames=10"],
        cwd=ROOT, env=kept | {"SPLITDNN_CACHE_DIR": str(tmp_path / "cache")}, stdin=subprocess.DEVNULL, stdout=its_end,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    os.close(its_end)
    said = ""
    try:
        while "the page stays at" not in said:
            assert select.select([terminal], [], [], START_S)[0], said
            said += os.read(terminal, 65536).decode(errors="replace")
        (page,) = set(re.findall(r"(http://127\.0\.0\.1:\d+/)", said.partition("look at")[2]))
        with urllib.request.urlopen(page, timeout=20) as answer:
            assert b"<title>SplitDNN edge</title>" in answer.read()
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        os.close(terminal)


def test_a_network_that_is_not_there_is_named_in_one_line(tmp_path):
    done = demo(str(tmp_path / "cache"), "--model", str(tmp_path / "none.onnx"), "--source", CAMERA)
    assert done.returncode == 2
    assert "did not start" in done.stdout
    assert [line for line in done.stderr.splitlines() if "none.onnx" in line and "no such file" in line]
