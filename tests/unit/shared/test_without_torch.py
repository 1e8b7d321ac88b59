"""Running a bundle on OpenVINO imports neither torch nor torchvision."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from kits.bundles import make
from kits.common import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        assert name.partition(".")[0] not in ("torch", "torchvision", "timm", "onnx"), name

sys.meta_path.insert(0, Refuse())
import numpy as np
from prometheus_client import CollectorRegistry, Counter
from shared.engines.segmented import segmented
from shared.engines.load import list_split_points, load_network
from shared.process.settings import CommonSettings

class Metrics:
    registry = CollectorRegistry()
    engine_failed_checks = Counter("failed", "Halves.", registry=registry)

model, cache = sys.argv[1:]
settings = CommonSettings(model=model, cache_dir=cache)
list_split_points(settings)
network = load_network(settings, Metrics(), "tail", weights="auto", seed=0, patience_s=1, threads=1)
pictures = np.zeros((2, *network.model.recipe.tensor_shape), np.float32)
crossing = network.engine.head(network.point)((pictures,))
whole = network.engine.tail(network.point)(crossing)
chain = segmented(network.engine, [*network.partition.points.values()])
assert np.allclose(chain.head(network.partition.ends[1])((pictures,))[0], whole[0], rtol=0.2, atol=0.05)
print(network.engine.name, sorted(name for name in sys.modules if name.startswith("torch")))
"""


@pytest.mark.slow
def test_a_bundle_runs_without_torch(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    make(
        tmp_path / "tiny", source={"kind": "torchvision", "model": "resnet18", "weights": "random", "seed": 0}
    )
    for cache in ("", str(tmp_path / "cache")):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path / "tiny"), cache],
            cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.stdout == "openvino []\n", done.stderr
