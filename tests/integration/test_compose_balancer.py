"""compose.balancer.yaml as users start it: three clouds on this machine behind the balancer, and the edge before it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from kits import bundles, deployments
from kits.common import START_S, wait_for

from bench.harness.process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(600)
FILES = ("compose.yaml", "compose.balancer.yaml")


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[deployments.ComposeDeployment]:
    if not deployments.docker_answers():
        pytest.skip("no Docker engine answers; contract tests check the file")
    folder = tmp_path_factory.mktemp("compose")
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(0o755)  # the containers' user is none of this machine
    (folder / "network").mkdir()
    bundles.make(folder / "network")
    for path in (folder / "network").iterdir():
        path.chmod(0o644)
    found = deployments.ComposeDeployment(
        folder, overrides=FILES[1:], model=f"{folder}/network", engine="openvino", precision="float32", split_point="pool",
        source="synthetic:fps=10,width=64,height=48", balancer_port=str(free_port()),
    )  # fmt: skip
    try:
        found._compose("build", "balancer", seconds=600)
        found._compose("up", "--detach", "--wait", "--scale", "cloud=3", "edge", seconds=START_S)
        yield found
    finally:
        found.close()


def test_frames_are_spread_over_three_clouds_and_a_killed_one_costs_none(scaled):
    answered = 'splitdnn_cloud_requests_total{endpoint="/model", code="200"} > 10'
    wait_for(lambda: len(scaled.query(answered)) == 3, "frames of three clouds")
    by_clouds = 'splitdnn_edge_frames_total{outcome="cloud"}'
    wait_for(
        lambda: scaled.query(by_clouds), "the edge's first scrape"
    )  # its name is looked up later than the clouds'
    first = scaled._compose("ps", "--quiet", "cloud").split()[0]
    subprocess.run(["docker", "kill", first], check=True, capture_output=True)
    (before,) = (float(each["value"][1]) for each in scaled.query(by_clouds))
    more = f"{by_clouds} > {before + 50}"
    wait_for(lambda: scaled.query(more), "fifty more frames answered by clouds")
    assert not scaled.query('splitdnn_edge_frames_total{outcome="edge"} > 0')
