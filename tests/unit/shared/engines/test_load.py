"""Loading the network that the settings name, and the table of its split points."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits.bundles import make, oracle
from kits.engines import error
from prometheus_client import CollectorRegistry

from shared.engines.load import describe_split_points, list_split_points, load_network
from shared.errors import ModelError, SplitPointError
from shared.network import find
from shared.network.bundle import verify_files
from shared.network.partition import OUTPUT, Partition, SplitPoint
from shared.observing.counting.counter import Counter
from shared.process.settings import CommonSettings

if TYPE_CHECKING:
    from typing import Any

    from shared.engines.load import Network
    from shared.network.choice import NetworkChoice


class Metrics:
    """What loading needs of a process's metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.engine_failed_checks = Counter("failed", "Halves.", registry=self.registry)

    def build_info(self) -> list[dict[str, str]]:
        return [
            sample.labels
            for metric in self.registry.collect()
            for sample in metric.samples
            if sample.name == "splitdnn_build_info"
        ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tiny").mkdir()
    return make(tmp_path / "tiny").folder


def load(folder: Path, metrics: Metrics | None = None, component: Any = "head", **changes: Any) -> Network:
    settings = CommonSettings(**{"model": str(folder), "cache_dir": "", "precision": "float32"} | changes)
    return load_network(
        settings, metrics or Metrics(), component, weights=settings.weights, seed=0, patience_s=1, threads=1
    )  # type: ignore[arg-type]


def _damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.write_bytes(data)


@pytest.mark.slow
def test_files_are_verified_beside_the_compilation_and_before_the_network_is_used(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _damage(folder / "network.bin")
    with pytest.raises(ModelError, match=r"network\.bin is not the file that was written"):
        load(folder)
    made: list[Path] = []

    def child(choice: NetworkChoice, folder: Path, patience_s: float) -> None:
        del choice, patience_s
        made.append(make(folder).folder)

    monkeypatch.setattr(find, "make_in_child", child)
    cache = str(tmp_path / "cache")
    kept = load(Path("resnet18"), weights="random", cache_dir=cache).bundle
    assert load(Path("resnet18"), weights="random", cache_dir=cache).bundle.folder == kept.folder
    assert len(made) == 1
    for name in ("network.bin", "probe.safetensors"):
        before = len(made)
        _damage(kept.folder / name)
        again = load(Path("resnet18"), weights="random", cache_dir=cache).bundle
        assert len(made) == before + 1, name
        verify_files(again.folder, again.manifest)


def test_a_network_is_loaded_with_the_split_point_of_the_settings(folder: Path) -> None:
    for asked, found in ((None, "mix"), ("auto", "mix"), ("relu", "relu")):
        network = load(folder, split_point=asked)
        assert network.point is network.partition.points[found], asked
        assert network.engine.at_hand("head", network.point), asked
    assert network.model is network.bundle.model
    pictures = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    crossing = network.engine.head(network.point)((pictures,))
    answer = network.engine.tail(network.point)(crossing)
    assert error(answer, oracle().crossings(pictures)[OUTPUT]) < 1e-5
    with pytest.raises(SplitPointError, match="unknown split point 'layer3'"):
        load(folder, split_point="layer3")


def test_the_log_says_what_is_running(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    network = load(folder)
    said = [record.getMessage() for record in caplog.records]
    assert f"recipe: {network.model.recipe.describe()}" in said
    assert (
        f"tiny, weights random:5, fingerprint {network.model.fingerprint.hex()}, 7 split points, default mix"
        in said
    )


def test_only_the_processs_first_network_is_reported_as_running(folder: Path, tmp_path: Path) -> None:
    """A second one becomes current later, if at all: its owner says so."""
    (tmp_path / "other").mkdir()
    other = make(tmp_path / "other", seed=6)
    metrics = Metrics()
    first = load(folder, metrics, "tail")
    load(other.folder, metrics, "tail")
    (labels,) = metrics.build_info()
    assert labels["fingerprint"] == first.model.fingerprint.hex() != other.model.fingerprint.hex()
    assert {key: labels[key] for key in ("component", "model", "weights", "engine", "precision", "device")} == {
        "component": "cloud", "model": "tiny", "weights": "random:5", "engine": "openvino", "precision": "float32",
        "device": "cpu",
    }  # fmt: skip


def test_halves_that_fail_their_check_are_counted(folder: Path) -> None:
    metrics = Metrics()
    network = load(folder, metrics)
    network.engine.on_failed_check()
    assert metrics.registry.get_sample_value("failed_total") == 1


def test_the_list_of_split_points_is_a_table(folder: Path) -> None:
    partition = Partition(
        [
            SplitPoint("input", ((3, 8, 8),), 0, 3_000_000),
            SplitPoint("a.longer.name", ((16,),), 1_250_000, 1_750_000),
            SplitPoint("output", ((5, 4), (5,)), 3_000_000, 0),
        ]
    )
    assert describe_split_points(partition).splitlines() == [
        "split point    shape             elements   float32 B  head MMACs  tail MMACs",
        "input          3x8x8                  192         768         0.0         3.0",
        "a.longer.name  16                      16          64         1.2         1.8",
        "output         5x4 + 5                 25         100         3.0         0.0",
    ]
    short = describe_split_points(Partition([SplitPoint("input", ((3, 8, 8),), 0, 0)])).splitlines()
    assert short[0].index("shape") == short[1].index("3x8x8"), (
        "names shorter than the heading leave the columns where they are"
    )
    listed = list_split_points(CommonSettings(model=str(folder), cache_dir=""))
    assert [line.split()[0] for line in listed.splitlines()[1:]] == [
        "input",
        "conv",
        "relu",
        "pool",
        "tokens",
        "mix",
        "output",
    ]
