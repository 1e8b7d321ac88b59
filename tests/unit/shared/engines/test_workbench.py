"""Converting the network: once, cached on disk, and without it if the disk or the conversion fails."""

from __future__ import annotations

import resource
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from kits.edge import partition_of, tiny_model
from kits.engines import (
    NATIVE,
    accepted,
    by_torch,
    converted,
    error,
    given_to,
    middle,
    mixed_model,
    warnings,
)

from shared.engines import Engine, make_engine
from shared.engines.base import TOLERANCES
from shared.engines.openvino import network, runtime
from shared.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.network.partition import Partition


def make(**options: Any) -> Engine:
    return make_engine(partition_of(mixed_model()), mixed_model(), **{"threads": 1} | options)


def test_a_network_is_converted_once_and_read_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    conversions, once = [], converted()  # before `convert` is replaced, as it may be what converts
    monkeypatch.setattr(network, "convert", lambda _partition: conversions.append(1) or once)
    for precision in NATIVE * 2:
        engine = make(name="openvino", precision=precision, cache_dir=str(tmp_path), point=middle())
        tensors = given_to("tail", middle(), 3)
        got = engine.tail(middle())(tensors)
        assert error(got, by_torch("tail", middle(), tensors)) <= accepted(f"openvino/{precision}"), precision
    assert conversions == [1]
    assert not warnings(caplog)
    (entry,) = tmp_path.glob("network-*")
    data = bytearray((entry / "network.bin").read_bytes())
    data[100] ^= 0xFF
    (entry / "network.bin").write_bytes(data)
    make(name="openvino", precision="float32", cache_dir=str(tmp_path))
    assert len(warnings(caplog)) == 1
    assert conversions == [1, 1]
    make(name="openvino", precision="float32")
    assert conversions == [1, 1, 1]


def test_a_conversion_that_fails_leaves_auto_with_torch_and_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = []

    def refuse(_partition: Partition) -> Any:
        tried.append(1)
        raise EngineError("openvino cannot take this network: no such operation")

    monkeypatch.setattr(network, "convert", refuse)
    monkeypatch.setattr(runtime, "precisions", lambda: ["bfloat16", "float32"])
    engine = make(cache_dir=str(tmp_path))
    assert (engine.name, engine.precision) == ("torch", "float32")
    assert warnings(caplog) == ["openvino cannot take this network: no such operation"]
    assert tried == [1]
    assert list(tmp_path.glob("*")) == []
    with pytest.raises(EngineError, match="cannot take this network"):
        make(name="openvino")


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow beyond 64 bytes."""
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_costs_a_warning_not_the_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """OpenVINO's own writing fails here, with whatever error it raises then."""
    with full_disk():
        engine = make_engine(
            partition_of(tiny_model()), tiny_model(), name="openvino", precision="float32", threads=1, cache_dir=str(tmp_path)
        )  # fmt: skip
    assert engine.name == "openvino"
    (warning,) = warnings(caplog)
    assert str(tmp_path) in warning
    assert list(tmp_path.iterdir()) == []


def test_the_real_choice_is_a_right_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing injected: whatever is the fastest here, its answers agree with torch's, and the second start takes it."""
    engines = [make(cache_dir=str(tmp_path), kind="tail", point=middle()) for _ in range(2)]
    assert engines[0].describe() == engines[1].describe()
    tensors = given_to("tail", middle(), 5)
    for engine in engines:
        wanted = by_torch("tail", middle(), tensors)
        assert error(engine.tail(middle())(tensors), wanted) <= 2 * TOLERANCES[engine.precision]
        assert engine.failed_checks == 0
    assert not warnings(caplog)
