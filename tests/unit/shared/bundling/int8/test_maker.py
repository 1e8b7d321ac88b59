"""From a float32 bundle to an int8 one: exact cuts, honest figures, and the reasons to stay in float."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits import quantised
from kits.int8_bundle import float_bundle, int8_of, made, without_nncf
from safetensors.numpy import load, save

from shared.bundling.int8 import maker
from shared.bundling.int8.maker import MIN_PICTURES, make_int8
from shared.codecs import encode_frame, make_codec
from shared.codecs.coding import codecs_of, decode_tensors
from shared.codecs.symbols import at_point
from shared.engines import make_engine
from shared.engines.half import in_symbols
from shared.engines.segmented import segmented
from shared.errors import ModelError, SettingsError
from shared.network.bundle import read_bundle
from shared.network.partition import INPUT, OUTPUT
from shared.wire import frame as wire

if TYPE_CHECKING:
    from pathlib import Path

    from shared.network.bundle import Bundle

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    _, report = made()
    assert report.bundle is not None, report.why_not
    return read_bundle(report.bundle.folder)


def tensors_of(bundle: Bundle) -> np.ndarray:
    return np.stack([bundle.model.recipe.normalise(picture) for picture in quantised.pictures(5, seed=9)])


def test_it_says_what_it_is(bundle: Bundle) -> None:
    network, report = made()
    manifest = bundle.manifest
    assert (manifest.schema_version, manifest.precision) == (3, "int8")
    assert manifest.int8 is not None
    assert manifest.int8.float_fingerprint == network.manifest.fingerprint != manifest.fingerprint
    assert manifest.int8.pictures == MIN_PICTURES // 3
    assert manifest.int8.low <= manifest.int8.agreement <= manifest.int8.high
    assert manifest.int8.in_float == ["stem"]
    assert manifest.labels == network.manifest.labels
    assert manifest.task == network.manifest.task
    assert report.kept is not None
    assert report.kept.agreement == manifest.int8.agreement


def test_head_then_tail_is_the_whole_bit_for_bit_whatever_the_batch(bundle: Bundle) -> None:
    engine, tensors = make_engine(bundle, threads=1), tensors_of(bundle)
    whole = engine.head(bundle.partition.point(OUTPUT))
    want = np.concatenate([whole((each[None],))[0] for each in tensors])
    assert np.array_equal(whole((tensors,))[0], want)
    inner = [point for point in bundle.partition.points.values() if point.name not in (INPUT, OUTPUT)]
    assert {bool(any(point.grids)) for point in inner} == {True, False}
    for point in inner:
        head, tail = engine.head(point), engine.tail(point)
        for one in (head, in_symbols(head)):
            alone = [one((each[None],)) for each in tensors]
            crossing = tuple(np.concatenate(each) for each in zip(*alone, strict=True))
            assert np.array_equal(tail(crossing)[0], want), point.name


def test_a_chain_of_segments_is_the_whole_bit_for_bit(bundle: Bundle) -> None:
    engine, tensors = make_engine(bundle, threads=1), tensors_of(bundle)
    points = list(bundle.partition.points.values())
    want = engine.head(points[-1])((tensors,))[0]
    chain = segmented(engine, points)
    for point in points:
        assert np.array_equal(chain.tail(point)(chain.head(point)((tensors,)))[0], want), point.name


def test_what_travels_is_exact(bundle: Bundle) -> None:
    engine, tensors = make_engine(bundle, threads=1), tensors_of(bundle)
    for point in bundle.partition.points.values():
        if not any(point.grids):
            continue
        crossing = in_symbols(engine.head(point))((tensors[:1],))
        for name in ("uint8", "uint8+zstd"):
            frame = encode_frame(
                [each[0] for each in crossing],
                at_point(make_codec(name), point),
                split_point=point.name,
                fingerprint=bundle.model.fingerprint,
                frame_id=1,
            )
            read = wire.unpack(wire.pack(frame))
            for grids in (point.grids, ()):
                found = decode_tensors(read, codecs_of(read), grids)
                symbols = point.symbols(tuple(each[None] for each in found))
                for got, sent in zip(symbols, crossing, strict=True):
                    assert np.array_equal(got, sent), (point.name, name)


def test_no_other_engine_or_precision_runs_it(bundle: Bundle) -> None:
    for asked in ({"name": "torch"}, {"precision": "float32"}, {"device": "cuda"}):
        with pytest.raises(SettingsError, match="is int8, which openvino computes"):
            make_engine(bundle, threads=1, **asked)
    assert make_engine(bundle, threads=1).describe()["precision"] == "int8"


def test_a_network_that_loses_too_much_stays_in_float(tmp_path: Path) -> None:
    network, _ = made()
    report = int8_of(network, tmp_path, wanted=0.99, levels=3)
    assert report.bundle is None
    assert "99.0% are asked for" in report.why_not
    assert len(report.trials) > 1
    assert list(tmp_path.iterdir()) == []


def test_rows_that_the_network_selects_are_compared_as_such_in_int8_too(tmp_path: Path) -> None:
    network = float_bundle(tmp_path / "float")
    network.probe.write_bytes(save({**load(network.probe.read_bytes()), "selected": np.array([0], np.int64)}))
    (tmp_path / "int8").mkdir()
    found = int8_of(network, tmp_path / "int8").bundle
    assert found is not None
    assert load(found.probe.read_bytes())["selected"].tolist() == [0]


def test_of_all_trials_only_the_best_network_is_held(tmp_path: Path) -> None:
    held: list[weakref.ref[object]] = []
    most = 0

    def quantise(*given: Any, **more: Any) -> Any:
        nonlocal most
        gc.collect()
        most = max(most, sum(each() is not None for each in held))
        found = quantised.quantise(*given, **more, levels=3)
        held.append(weakref.ref(found))
        return found

    network, _ = made()
    # The inner patch is undone first: undone last, it would bring back the outer one's.
    with without_nncf(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(maker, "quantise", quantise)
        report = make_int8(network, quantised.pictures(MIN_PICTURES), tmp_path, wanted=1.0)
    assert len(report.trials) == len(held) > 2
    assert most == 1
    assert report.chosen is max(report.trials, key=lambda trial: trial.quality)


def test_a_network_that_gains_too_little_stays_in_float(tmp_path: Path) -> None:
    report = int8_of(made()[0], tmp_path, gain=1.1)
    assert report.bundle is None
    assert report.why_not.startswith("int8 is only 1.10 times as fast")


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"at least {MIN_PICTURES}"):
        make_int8(made()[0], quantised.pictures(10), tmp_path)


def test_the_same_pictures_give_the_same_fingerprint(tmp_path: Path, bundle: Bundle) -> None:
    (tmp_path / "again").mkdir()
    again = int8_of(float_bundle(tmp_path / "float"), tmp_path / "again")
    assert again.bundle is not None
    assert again.bundle.model.fingerprint == bundle.model.fingerprint
