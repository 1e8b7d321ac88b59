"""An ONNX file whose graph selects its boxes gives the rows that onnxruntime gives, whole and cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits.engines import new_engine

from shared.bundling.bundler import make_reported
from shared.bundling.graph.filling import NOTHING
from shared.engines.segmented import Segmented
from shared.network.choice import NetworkChoice
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow  # compiles networks

detector = pytest.importorskip("kits.onnx_detector", reason="needs onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def _pictures() -> np.ndarray:
    """(3, 3, 64, 64): a dark one in which little is found, and two of noise."""
    random = np.random.default_rng(2)
    return np.stack(
        [contrast * random.normal(size=(3, detector.SIDE, detector.SIDE)) for contrast in (0, 0.5, 2)]
    ).astype(np.float32)


@pytest.mark.parametrize("joined", [False, True])
def test_the_rows_are_onnxruntimes_at_every_split_point(tmp_path: Path, *, joined: bool) -> None:
    path = detector.write_detector(tmp_path / "detector.onnx", joined=joined)
    folder = tmp_path / "bundle"
    folder.mkdir()
    bundle, report = make_reported(NetworkChoice(str(path)), folder, patience_s=1, check="all")
    names = ["found"] if joined else ["boxes", "scores", "labels"]
    limit = 10 * detector.CLASSES
    assert bundle.partition.point(OUTPUT).shapes == (
        ((limit, 6),) if joined else ((limit, 4), (limit,), (limit,))
    )
    assert report.reference == "onnxruntime"
    assert report.parity < 1e-5
    assert any(
        f"outputs {', '.join(names)} each picture has its own number of rows" in note for note in report.notes
    )
    points = list(bundle.partition.points.values())
    assert any(len(point.shapes) == 2 for point in points[:-1])

    pictures = _pictures()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rows = [session.run(None, {"picture": picture[None]}) for picture in pictures]
    counts = [each[0].shape[1 if joined else 0] for each in rows]
    assert len(set(counts)) > 1, "the pictures should have unlike numbers of boxes"
    engine = new_engine("float32", bundle)
    chain = Segmented(engine, points)
    for point in points:
        crossing = engine.head(point)((pictures,)) if point.name != INPUT else (pictures,)
        for tail in (engine.tail(point), chain.tail(point)):
            found = tail(crossing)
            for number, right in enumerate(zip(*rows, strict=True)):
                for picture, wanted in enumerate(right):
                    got = found[number][picture]
                    values = wanted[0] if joined else wanted
                    what = f"{names[number]} of picture {picture}, cut at {point.name}"
                    np.testing.assert_allclose(got[: len(values)], values, rtol=1e-4, atol=1e-4, err_msg=what)
                    assert (got[len(values) :] == NOTHING).all(), what
        engine.release()
