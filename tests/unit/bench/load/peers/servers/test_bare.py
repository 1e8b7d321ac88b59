"""The bare tail's arithmetic, and the tail that all servers run."""

import numpy as np
import pytest
from kits.bundles import tiny

from bench.load.peers.material import Crossing, in_bytes, poisoned
from bench.load.peers.servers.bare import measured
from bench.load.peers.servers.spec import Spec
from bench.load.peers.servers.tail import PeerTail


def test_full_batches_count_by_what_is_in_them():
    moments = iter(range(100))
    runs = []
    found = measured(lambda: runs.append(1), 8, 6.0, lambda: float(next(moments)))
    # Two looks at the clock a run: 6 s are three runs, and the one before does not count.
    assert (len(runs), found["done"], found["times_ms"]) == (4, 24, [1000.0] * 3)
    assert found["window_s"] == 8.0


def test_a_spec_comes_back_from_its_text():
    spec = Spec("tail.xml", 1, 2, 3, 2, "f32", 8, 0.002, gridded=True, folder="/nowhere")
    assert Spec.read(spec.text()) == spec
    with pytest.raises(TypeError):
        Spec.read('{"port": 1}')


def test_bytes_are_within_half_a_step():
    values = np.random.default_rng(1).normal(size=(1, 3, 4, 5)).astype(np.float32)
    crossing = in_bytes(values)
    step = (values.max() - values.min()) / 255
    assert crossing.values.dtype == np.uint8
    assert crossing.values.min() == 0
    assert crossing.values.max() == 255
    assert np.abs(crossing.restored() - values).max() <= 0.501 * step
    assert len(crossing.raw()) == 8 + values.size


def test_a_constant_crossing_has_a_grid_too():
    assert (in_bytes(np.full((1, 2, 2, 2), 3, np.float32)).restored() == 3).all()


def test_poison_is_another_shape_and_not_a_number_where_that_can_be_said():
    values = np.ones((1, 3, 4, 5), np.float32)
    shape, nan = poisoned(Crossing(values, None))
    assert shape.values.shape == (1, 3, 3, 5)
    assert np.isnan(nan.values).all()
    shape, nan = poisoned(in_bytes(values))
    assert np.isnan(nan.restored()).all()
    (shape,) = poisoned(Crossing(values.astype(np.uint8), None))
    assert shape.values.shape == (1, 3, 3, 5)


@pytest.mark.slow
def test_the_tail_reads_bare_bytes_and_batches(tmp_path, monkeypatch):
    from shared.engines import make_engine
    from shared.engines.openvino.network import cut, read
    from shared.engines.openvino.runtime import core, ov

    # A server has a process of its own; here another Core, once gone, would take the stack for signals with it that later tests need.
    only = core()
    monkeypatch.setattr("bench.load.peers.servers.tail.ov.Core", lambda: only)
    bundle = tiny()
    point, output = bundle.partition.point("pool"), bundle.partition.ends[1]
    path = tmp_path / "tail.xml"
    ov.save_model(cut(read(bundle), point, output), str(path), compress_to_fp16=False)
    values = np.random.default_rng(2).random((3, *point.shape), np.float32)
    right = make_engine(bundle, name="openvino", precision="float32", threads=1, cache_dir="").tail(point)
    for gridded in (False, True):
        spec = Spec(str(path), 0, 0, 0, 1, "f32", 4, 0.0, gridded=gridded, folder="")
        tail = PeerTail(spec)
        sent = [in_bytes(each[None]) if gridded else Crossing(each[None], None) for each in values]
        found = tail.batch([tail.read(each.raw()) for each in sent])
        expected = right((np.concatenate([each.restored() for each in sent]),))[0]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
        with pytest.raises(ValueError):
            tail.read(sent[0].raw()[:-1])
