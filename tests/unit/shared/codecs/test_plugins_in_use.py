"""A codec of another package is taken wherever codecs are listed: decoding, metrics, the ledger, the rate report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits.plugins import Entry, Halves, Inverted, install

from bench.rate.plan import settings
from cloud.access.ledger import Entry as Line
from cloud.access.ledger import open_ledger
from cloud.bodies.frames import read_frame
from cloud.config import CloudSettings
from cloud.metrics import CloudMetrics
from edge.metrics import EdgeMetrics
from shared.codecs import encode_frame, make_codec
from shared.errors import CodecError
from shared.wire import frame as wire

if TYPE_CHECKING:
    from pathlib import Path

    from shared.network.model import Model
    from shared.network.partition import Partition


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Entry("halves", Halves), Entry("inverted", Inverted))


def body_of(codec: str, array: np.ndarray, split_point: str, model: Model) -> bytes:
    frame = encode_frame(
        [array], make_codec(codec), split_point=split_point, fingerprint=model.fingerprint, frame_id=1
    )
    return wire.pack(frame)


def test_the_cloud_decodes_its_frames(resnet18: Model, partition: Partition) -> None:
    tensor = np.arange(512, dtype=np.float32)
    work = read_frame(body_of("halves", tensor, "flatten", resnet18), resnet18, partition)
    np.testing.assert_array_equal(work.crossing[0][0], np.repeat(tensor[::2], 2))
    picture = np.arange(64 * 64 * 3, dtype=np.uint32).astype(np.uint8).reshape(64, 64, 3)
    assert (
        read_frame(body_of("inverted", picture, "input", resnet18), resnet18, partition).codec == "inverted"
    )
    with pytest.raises(CodecError, match="inverted carries pictures"):
        read_frame(body_of("inverted", picture, "layer1", resnet18), resnet18, partition)


def test_its_label_is_there_from_the_start() -> None:
    registry = EdgeMetrics().registry
    for name in ("halves", "inverted", "int8"):
        assert registry.get_sample_value("splitdnn_edge_payload_bytes_count", {"codec": name}) == 0


def test_the_ledger_names_it_and_no_stranger(
    resnet18: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = wire.unpack(body_of("halves", np.zeros(512, np.float32), "flatten", resnet18))
    ledger = open_ledger(CloudSettings(ledger=str(tmp_path / "ledger")), CloudMetrics())
    assert ledger
    for name in ("halves", "others"):
        install(monkeypatch, Entry(name, type("Other", (Halves,), {"name": name})))
        line = Line(ledger, "192.0.2.7")
        line.note(frame)
        line.decide("answered")
    ledger.close()
    lines = (tmp_path / "ledger").read_text().splitlines()
    assert [json.loads(line)["codec"] for line in lines] == ["halves", None]


def test_the_rate_report_measures_it() -> None:
    assert "halves" in [each.spec for each in settings("resnet50", "layer3", quick=True)]
    assert "inverted" in [each.spec for each in settings("resnet50", "input", quick=True)]
    assert "inverted" not in [each.spec for each in settings("resnet50", "layer3", quick=True)]
