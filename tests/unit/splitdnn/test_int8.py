"""int8 from code: bundles that are made of pictures at hand, and networks that are loaded from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits import int8_bundle, quantised

from shared.bundling.int8.maker import MIN_PICTURES
from shared.engines import agreeing
from shared.engines.agreeing import Found
from shared.engines.openvino.runtime import ov
from shared.network.bundle import float_of
from splitdnn import EngineError, ModelError, SettingsError, ShapeError, load_network, make_bundle

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from shared.network.bundle import Bundle

pytestmark = pytest.mark.slow


def make(folder: Path, gain: float = 2.0, **changes: Any) -> Bundle:
    source = folder / "small.xml"
    ov.save_model(quantised.network(), source, compress_to_fp16=False)
    # Larger than the network takes them, as pictures are.
    pictures = [each.repeat(3, 0).repeat(3, 1) for each in quantised.pictures(MIN_PICTURES)]
    options = {
        "int8": pictures,
        "min_agreement": 0.5,
        "recipe": int8_bundle.RECIPE,
        "task": "classify",
    } | changes
    with int8_bundle.without_nncf(gain=gain):
        return make_bundle(source, folder / "net", **options)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make(tmp_path_factory.mktemp("made"))


def test_an_int8_bundle_says_what_it_keeps_and_has_its_float32_one_beside_it(bundle: Bundle) -> None:
    assert bundle.manifest.precision == "int8"
    assert bundle.manifest.int8 is not None
    assert bundle.manifest.int8.wanted == 0.5
    assert bundle.manifest.int8.low <= bundle.manifest.int8.agreement <= bundle.manifest.int8.high
    beside = load_network(float_of(bundle.folder), precision="float32", cache_dir="")
    assert beside.fingerprint.hex() == bundle.manifest.int8.float_fingerprint


def test_it_is_split_with_bytes_of_its_own_and_answers_as_the_whole(bundle: Bundle) -> None:
    network = load_network(bundle.folder, cache_dir="", threads=1)
    assert network.engine["precision"] == "int8"
    picture = quantised.pictures(1, seed=5)[0]
    whole = network.whole(network.prepare(picture))
    point = next(name for name, each in bundle.partition.points.items() if any(each.grids))
    split = network.split(point)
    assert split.codec is not None
    assert split.codec.name == "uint8+zstd"
    crossing = split.decode(split.to_frame(picture))
    for found, want in zip(split.tail(crossing), whole, strict=True):
        np.testing.assert_array_equal(found, want)


def test_one_that_is_not_worth_it_is_a_float32_bundle(tmp_path: Path) -> None:
    found = make(tmp_path, gain=1.0)
    assert (found.manifest.precision, found.manifest.int8) == ("float32", None)
    assert not float_of(found.folder).exists()


def test_what_cannot_be_used_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    for changes, error, message in (
        ({"int8": quantised.pictures(5)}, ModelError, f"5 pictures .* at least {MIN_PICTURES}"),
        ({"int8": [np.zeros((9, 9), np.uint8)] * MIN_PICTURES}, ShapeError, "a picture is an array"),
        ({"min_agreement": 1.5}, SettingsError, "min_agreement=1.5; accepted: 0 to 1"),
    ):
        with pytest.raises(error, match=message):
            make(tmp_path, **changes)
        assert [each.name for each in tmp_path.iterdir() if "net" in each.name] == []


def test_a_network_that_keeps_too_little_on_this_processor_is_not_loaded(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreeing, "_counted", lambda *_: Found(0.2, 0.1, 0.35, 16))
    with pytest.raises(EngineError, match=r"int8 network keeps 20\.0%"):
        load_network(bundle.folder, cache_dir="")
