"""The promise of version skew: the previous edge works with this cloud, and this edge with the previous cloud.

The previous version is taken from the repository's history, and runs as its users ran it.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from kits.common import ROOT, START_S, STEP_S, get_json, ready, wait_for
from kits.deployments import edge_settings
from kits.edge_run import EdgeRun

from bench.harness.process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

PREVIOUS = "3d28d37"
"""The last commit of version 0.5.0."""
NETWORK = {"model": "mobilenet_v2", "weights": "random", "precision": "float32"}
SPLIT_POINTS = {"input": "jpeg", "features.6": "int8+zstd", "features.15": "calibrated", "flatten": "float16"}
FRAMES = 6


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the previous version."""
    if not shutil.which("git"):
        pytest.skip("there is no git here, so there is no previous version")
    archive = subprocess.run(["git", "archive", PREVIOUS], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"the history does not hold {PREVIOUS} (a shallow clone or an archive)")
    folder = tmp_path_factory.mktemp("previous")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For caches, one of each version, and logs."""
    return tmp_path_factory.mktemp("skew")


def environment(tree: Path, folder: Path, settings: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPLITDNN_")}
    own = settings | {"cache_dir": str(folder / f"cache-{tree.name}")}
    return (
        kept | {"PYTHONPATH": str(tree)} | {f"SPLITDNN_{name.upper()}": value for name, value in own.items()}
    )


@contextlib.contextmanager
def cloud(tree: Path, folder: Path, **settings: str) -> Iterator[str]:
    """A cloud of the version in `tree`; yields its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (folder / "cloud.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cloud", "--port", str(port)],
            cwd=tree, env=environment(tree, folder, NETWORK | settings), stderr=log,
        )  # fmt: skip
    try:
        wait_for(lambda: ready(url), f"a ready cloud of {tree}", START_S)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(STEP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def edge(tree: Path, folder: Path, url: str, **settings: str) -> EdgeRun:
    """An edge of the version in `tree` that sends a few frames."""
    given = NETWORK | {"source": f"synthetic:fps=0,frames={FRAMES}", "cloud_url": url} | settings
    shown = {name.removeprefix("SPLITDNN_").lower(): value for name, value in edge_settings(given).items()}
    code = f"import os; os.chdir({str(tree)!r}); import runpy; runpy.run_module('edge', run_name='__main__')"
    return EdgeRun([sys.executable, "-c", code], environment(tree, folder, shown))


def check_all_answered_by_the_cloud(edge_tree: Path, folder: Path, url: str) -> None:
    for split_point, codec in SPLIT_POINTS.items():
        records = edge(edge_tree, folder, url, split_point=split_point, codec=codec).finish(STEP_S)
        found = Counter((each["answered_by"], each["fallback"], each["split_point"]) for each in records)
        assert found == {("cloud", None, split_point): FRAMES}, (split_point, found)
        assert all(len(each["top"]) == 5 for each in records), split_point


def test_the_previous_edge_is_answered_by_this_cloud(previous: Path, folder: Path) -> None:
    with cloud(ROOT, folder) as url:
        check_all_answered_by_the_cloud(previous, folder, url)
        planned = edge(previous, folder, url, split_point="auto", objective="throughput").finish(START_S)
        assert [each["frame"] for each in planned] == list(range(FRAMES))
        assert {each["fallback"] for each in planned} <= {None, "explore"}


def test_this_edge_is_answered_by_the_previous_cloud(previous: Path, folder: Path) -> None:
    with cloud(previous, folder) as url:
        check_all_answered_by_the_cloud(ROOT, folder, url)


def said_in_one_line(run: EdgeRun) -> str:
    """What an edge says that cannot work with its cloud."""
    run.finish(STEP_S, status=2)
    lines = [line for line in run.errors if line.startswith("splitdnn: ")]
    assert len(lines) == 1, run.said()
    return lines[0]


def test_a_network_that_the_previous_version_cannot_build_is_refused_in_one_line(
    previous: Path, folder: Path
) -> None:
    """A bundle of a network of one's own: the previous edge has no way to run it, and says so at its start."""
    source = folder / "own.py"
    source.write_text(
        "import torch\n\n\ndef build():\n    torch.manual_seed(1)\n    return torch.nn.Sequential(\n"
        "        torch.nn.Conv2d(3, 8, 3, stride=4), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1),\n"
        "        torch.nn.Flatten(), torch.nn.Linear(8, 10),\n    )\n"
    )
    bundle = folder / "own"
    made = subprocess.run(
        [sys.executable, "-m", "splitdnn", "bundle", f"{source}:build", "-o", str(bundle)],
        cwd=ROOT, env=environment(ROOT, folder, {}), capture_output=True, text=True, timeout=START_S, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    with cloud(ROOT, folder, model=str(bundle), weights="auto") as url:
        said: Any = get_json(f"{url}/model")
        line = said_in_one_line(edge(previous, folder, url))
        assert said["fingerprint"] in line
        assert said["model"] in line


def test_an_edge_that_is_to_take_its_clouds_network_is_told_that_the_previous_cloud_has_none_to_give(
    previous: Path, folder: Path, tmp_path: Path
) -> None:
    """It has no bundle of that network either: what other tests have made is not in its cache."""
    with cloud(previous, folder) as url:
        line = said_in_one_line(edge(ROOT, tmp_path, url, model="cloud", weights="auto"))
        assert f"the cloud at {url} is older than bundles" in line
