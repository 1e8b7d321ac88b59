"""A network as an OpenVINO model: converting, saving and reading it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from kits.edge import partition_of, tiny_model
from kits.engines import Unconvertible, by_torch, converted, error, given_to, middle, mixed_model, probe_of

from shared.engines import TorchEngine
from shared.engines.openvino import network
from shared.engines.openvino.engine import OpenVinoEngine
from shared.errors import EngineError
from shared.network.partition import Partition

if TYPE_CHECKING:
    from pathlib import Path


def test_a_conversion_with_its_batch_size_stuck_fails_its_check(monkeypatch: pytest.MonkeyPatch) -> None:
    original = network.ov.convert_model

    def convert(*arguments: Any, **options: Any) -> Any:
        return original(*arguments, **options | {"input": [1, *options["input"][1:]]})

    monkeypatch.setattr(network.ov, "convert_model", convert)
    partition = partition_of(mixed_model())
    engine = OpenVinoEngine(
        network.convert(partition), partition.ends, threads=1,
        probe=probe_of(mixed_model()), reference=TorchEngine(partition),
    )  # fmt: skip
    with pytest.raises(EngineError):  # a tail gets a new parameter, of any batch size
        engine.require("head", middle())
    tensors = given_to("head", middle(), 3)
    assert error(engine.head(middle())(tensors), by_torch("head", middle(), tensors)) < 1e-6
    assert engine.failed_checks == 1


@pytest.mark.parametrize("fails", [False, True])
def test_a_conversion_leaves_the_log_as_it_was(fails: bool) -> None:
    """OpenVINO's converter changes the root logger, and does not clean up when it fails."""
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    before = root.level, root.handlers[:], root.filters[:]
    if fails:
        with pytest.raises(EngineError, match=r"^openvino cannot take this network: [^\n]+$"):
            network.convert(Partition(Unconvertible().eval(), (3, 8, 8)))
    else:
        network.convert(partition_of(tiny_model()))
    assert (root.level, root.handlers, root.filters) == before


def test_a_saved_network_is_read_again(tmp_path: Path) -> None:
    network.save(converted(), tmp_path / "network.xml")
    again = OpenVinoEngine(
        network.read(tmp_path / "network.xml"), partition_of(mixed_model()).ends, threads=1,
        probe=probe_of(mixed_model()), constants=tmp_path / "network.bin",
    )  # fmt: skip
    # Each half drops the pages of the constants; the next one reads them from the file again.
    for point in partition_of(mixed_model()).points.values():
        for kind in ("head", "tail"):
            tensors = given_to(kind, point, 2)
            got = again.require(kind, point)(tensors)
            assert error(got, by_torch(kind, point, tensors)) <= 1e-4, (kind, point.name)
    (tmp_path / "network.xml").write_text("<net")
    with pytest.raises(EngineError, match="not a network that openvino can read"):
        network.read(tmp_path / "network.xml")
