"""deploy/swarm on a swarm of one node: clouds are killed, updated, scaled and given another network, and edges lose no frame.

Without IPVS in the kernel, as here and in many containers, virtual addresses and the ingress mesh do not work; the stack uses neither.
"""

from __future__ import annotations

import shutil
import ssl
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest
from kits import bundles, deployments, swarm
from kits.account import Account
from kits.common import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.soak.ledger import Row

pytestmark = pytest.mark.timeout(600)
EDGES = 2
SEEDS = (5, 6)


def put_network(media: Path, seed: int) -> None:
    """Another folder in the place of the one that clouds look at."""
    made = media / f"seed-{seed}"
    made.mkdir()
    bundles.make(made, seed=seed)
    for path in made.iterdir():
        path.chmod(0o644)
    if (media / "network").exists():
        (media / "network").rename(media / "network.previous")
    made.rename(media / "network")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[swarm.Stack]:
    if not deployments.docker_answers():
        pytest.skip("no Docker engine answers")
    if swarm.is_in_a_swarm():
        pytest.skip("this machine is part of a swarm, which is left alone")
    folder = tmp_path_factory.mktemp("swarm")
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(0o755)  # the containers' user is none of this machine
    (folder / "media").mkdir()
    put_network(folder / "media", SEEDS[0])
    found = swarm.Stack(
        folder, model="/media/network", engine="openvino", precision="float32", split_point="pool", threads="1",
        source="synthetic:fps=5,width=64,height=48", edge_replicas=str(EDGES), show="quiet", deadline_s="5",
        cloud_cpus="1", ledger="/cache/ledger-{hostname}.jsonl", queue_size="600",
    )  # fmt: skip
    try:
        yield found
    finally:
        found.close()
        shutil.rmtree(folder, ignore_errors=True)


def test_nothing_is_published_but_the_balancer(stack):
    published = {
        name: stack.inspected(name)["Endpoint"].get("Ports", [])
        for name in ("cloud", "edge", "prometheus", "bundle", "balancer")
    }
    (balancer,) = published.pop("balancer")
    assert set(map(str, published.values())) == {"[]"}
    assert (balancer["PublishedPort"], balancer["PublishMode"]) == (stack.port, "host")
    # By TLS alone, with the certificate of the CA that was made, and to nobody without a token.
    context = ssl.create_default_context(cafile=f"{stack.folder}/secrets/tls/ca.crt")
    with urllib.request.urlopen(
        f"https://127.0.0.1:{stack.port}/healthz", timeout=10, context=context
    ) as answer:
        assert answer.status == 200
    with pytest.raises(OSError, match="401"):
        urllib.request.urlopen(f"https://127.0.0.1:{stack.port}/model", timeout=10, context=context)
    with pytest.raises(OSError):  # closed without a word
        urllib.request.urlopen(f"http://127.0.0.1:{stack.port}/healthz", timeout=10)


def test_prometheus_finds_every_task(stack):
    def all_up() -> bool:
        up = stack.query("sum by (job) (up)")
        return up == {
            '{job="cloud"}': 3,
            '{job="edge"}': EDGES,
            '{job="balancer"}': 1,
            '{job="prometheus"}': 1,
        }

    wait_for(all_up, "every task scraped")


def test_no_frame_is_lost_or_recorded_twice_whatever_happens_to_the_clouds(stack, capsys):
    account = Account()

    def phase(name: str) -> None:
        account.phases.append((name, time.time()))

    def healthy(count: int) -> list[str]:
        return wait_for(
            lambda: len(found := stack.healthy("cloud")) == len(stack.containers("cloud")) == count and found,
            f"{count} healthy clouds",
        )

    phase("three clouds")
    healthy(3)
    stack.wait_for_records(EDGES, 15)
    phase("one is killed, and replaced")
    killed = healthy(3)[0]
    swarm.docker("kill", killed)
    wait_for(lambda: killed not in stack.containers("cloud") and healthy(3), "another in its place")
    stack.wait_for_records(EDGES, 15)
    phase("a rolling update")
    before = set(healthy(3))
    stack.up(max_batch="4")
    assert not before & set(healthy(3))
    assert "SPLITDNN_MAX_BATCH=4" in stack.inspected("cloud")["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"]
    stack.wait_for_records(EDGES, 15)
    for count, words in ((1, "three become one"), (3, "one becomes three"), (1, "three become one again")):
        phase(words)
        stack.scale("cloud", count)
        healthy(count)
        stack.wait_for_records(EDGES, 15)
    phase("another network")
    put_network(stack.folder / "media", SEEDS[1])
    fingerprint = bundles.fingerprint(SEEDS[1])

    def all_by_it() -> bool:
        last = [records[-1] for records in stack.rows("results").values()]
        return len(last) == EDGES and all(
            row["network"] == fingerprint and row["answered_by"] == "cloud" for row in last
        )

    wait_for(all_by_it, "answers by the other network")
    stack.wait_for_records(EDGES, 15)
    stack.scale("edge", 0)
    counts = stack.summaries(EDGES)

    edges: dict[str, list[Row]] = {
        path.partition("/")[0].rpartition("-")[2]: rows for path, rows in stack.rows("results").items()
    }
    ledgers = stack.rows("cloud-cache")
    lines = [line for each in ledgers.values() for line in each]
    again = sum(account.computed_again(records, lines) for records in edges.values())
    with capsys.disabled():
        print(
            f"\n{account.table(edges, counts)}\ncomputed again after a cut: {again}\n{account.clouds(ledgers)}"
        )
    assert set(edges) == set(counts)
    assert all(each["dropped"] <= 1 for each in counts.values()), (
        "one that was read when the edge was told to end"
    )
    for slot, records in edges.items():
        assert account.faults(records, lines, counts[slot]) == [], slot
    every = [row for records in edges.values() for row in records]
    by_cloud = sum(row["answered_by"] == "cloud" for row in every)
    assert by_cloud >= 0.9 * len(every), f"{by_cloud} of {len(every)} were answered by clouds"
