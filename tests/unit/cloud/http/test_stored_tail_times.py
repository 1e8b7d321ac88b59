"""The tails' times on disk: kept for this network, engine and machine, and measured anew when they are damaged."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from kits.tail_times import quick, tail_times

from cloud.batching import tail_times as module
from cloud.batching.tail_times import TailTimes
from shared.network.stage_ends import stage_ends
from shared.process.cache.folder import Cache

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from shared.network.partition import Partition


def stored(cache: Path) -> list[Path]:
    return sorted(cache.glob("tail-times-*.json"))


def test_a_second_start_answers_at_once(tmp_path: Path) -> None:
    with quick(tmp_path, max_batch=2, batch_wait_ms=1) as (server, tails):
        first = tail_times(server)
        assert tails.runs
    with quick(tmp_path, max_batch=2, batch_wait_ms=5) as (server, tails):
        assert tail_times(server) == first | {"batch_wait_ms": 5}
        assert not tails.runs
    with quick(tmp_path, max_batch=1) as (server, tails):
        assert tail_times(server)["batch_sizes"] == [1]
        assert tails.runs
    assert [json.loads(path.read_text()).keys() for path in stored(tmp_path)] == [
        {"batch_sizes", "tails_ms"}
    ] * 2


def test_without_a_cache_it_is_measured_at_each_start() -> None:
    for _ in range(2):
        with quick(max_batch=1) as (server, tails):
            tail_times(server)
            assert tails.runs


def test_a_damaged_file_is_measured_anew(tmp_path: Path, partition: Partition) -> None:
    names = ["input", *(point.name for point in stage_ends(partition.points.values()))]
    with quick(tmp_path, max_batch=1) as (server, _):
        tail_times(server)

    def store(value: Any) -> Callable[[Path], None]:
        """As whole as any other file of the cache, and of no use."""
        return lambda path: Cache(str(tmp_path)).store_json(path.name.rpartition("-")[0], value)

    damages: dict[str, Callable[[Path], object]] = {
        "changed": lambda path: path.write_text('{"batch_sizes": [1], "tails_ms": {}}'),
        "cut off": lambda path: path.write_bytes(path.read_bytes()[:-7]),
        "gone": lambda path: path.unlink(),
        "of another network": store({"batch_sizes": [1], "tails_ms": {}}),
        "another thing": store([1, 2]),
    }
    for name, damage in damages.items():
        (path,) = stored(tmp_path)
        damage(path)
        for measured in (True, False):
            with quick(tmp_path, max_batch=1) as (server, tails):
                assert list(tail_times(server)["tails_ms"]) == names, name
                assert bool(tails.runs) == measured, name


def test_a_folder_that_cannot_be_written_costs_a_warning(
    tmp_path: Path, expect_log: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    with quick(tmp_path / "file", max_batch=1) as (server, tails):
        said = tail_times(server)
        runs = len(tails.runs)
        assert tail_times(server) == said
        assert len(tails.runs) == runs
    assert len([record for record in expect_log.records if record.levelno >= logging.WARNING]) == 1


def test_the_times_are_for_this_network_engine_and_machine_only(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = stage_ends(partition.points.values())

    def key(*, fingerprint: bytes = b"12345678", workers: int = 1, max_batch: int = 8, **engine: Any) -> str:
        about = {"name": "numpy", "precision": "float32", "device": "cpu", "threads": 2} | engine
        network = SimpleNamespace(
            model=SimpleNamespace(fingerprint=fingerprint),
            engine=SimpleNamespace(name=about["name"], device=about["device"], describe=lambda: about),
        )
        pools = SimpleNamespace(tail_workers=workers)
        settings = SimpleNamespace(max_batch=max_batch, cache_dir="")
        return TailTimes(network, pools, settings, lambda *_: None)._key(points)  # type: ignore[arg-type]

    keys = [
        key(), key(fingerprint=b"87654321"), key(workers=2), key(max_batch=4), key(name="openvino"),
        key(precision="bfloat16"), key(threads=4),
    ]  # fmt: skip
    assert keys[0] == key()
    for name in ("machine", "version"):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, lambda *_about: "another")
            keys.append(key())
    del points[0]
    keys.append(key())
    assert len(set(keys)) == len(keys)
