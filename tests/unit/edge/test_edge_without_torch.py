"""An edge that runs a bundle needs no torch: its process imports none, whatever it is asked to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from kits.edge_main import NOWHERE, SHORT, SMALL

pytestmark = pytest.mark.slow  # a process, and networks that are compiled

ROOT = Path(__file__).parents[3]
RUNS = {
    "the usual plan": [],
    "the planner": ["--split-point", "auto"],
    "pictures of the camera's size": ["--split-point", "input", "--codec", "png", "--picture-size", "source"],
    "nothing travels": ["--split-point", "output"],
    "a profile that is fitted to drawn frames": ["--split-point", "pool", "--codec", "calibrated"],
    "still scenes": ["--codec", "int8", "--still-threshold", "0.1", "--grayscale"],
    "split points": ["--list-split-points"],
}
SCRIPT = """
import json, sys
from edge.__main__ import main
for what, arguments in json.loads(sys.argv[1]).items():
    status = main(arguments)
    found = sorted({"torch", "torchvision", "onnx", "onnxruntime"} & set(sys.modules))
    print("RESULT", json.dumps([what, status, found]), flush=True)
"""


def test_an_edge_on_a_bundle_imports_no_torch(tmp_path):
    common = [*SMALL, *NOWHERE, *SHORT, "--show", "quiet", "--cache-dir", str(tmp_path / "cache")]
    runs = {what: [*common, *more] for what, more in RUNS.items()}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(runs)],
        cwd=ROOT, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    results = [
        json.loads(line.removeprefix("RESULT "))
        for line in done.stdout.splitlines()
        if line.startswith("RESULT ")
    ]
    assert results == [[what, 0, []] for what in RUNS], done.stderr[-3000:]
