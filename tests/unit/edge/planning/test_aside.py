"""A tail that the edge does not keep: checked at the start, and compiled when the first frame needs it."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from kits.numpy_network import NumpyEngine, write_bundle

from edge.planning.making.aside import set_aside
from shared.errors import EngineError


class Engine(NumpyEngine):
    fails = False

    def _compile(self, kind, point):
        if self.fails:
            raise EngineError("no memory")
        return super()._compile(kind, point)


@pytest.fixture
def bundle(tmp_path):
    return write_bundle(tmp_path / "bundle", b"12345678")


def crossing(bundle):
    return (np.ones((1, *bundle.partition.point("layer3").shape), np.float32),)


def test_it_is_compiled_at_once_dropped_and_compiled_once_more(bundle):
    engine, point = Engine(bundle), bundle.partition.point("layer3")
    tail = set_aside(engine, point, bundle)
    assert engine.compiled == [("tail", "layer3")]
    assert engine.at_hand("tail", point) is None
    (first,), (second,) = tail(crossing(bundle)), tail(crossing(bundle))
    assert engine.compiled == [("tail", "layer3")] * 2
    (want,) = Engine(bundle).tail(point)(crossing(bundle))
    for found in (first, second):
        np.testing.assert_array_equal(found, want)


def test_threads_that_need_it_at_once_compile_it_once(bundle):
    engine = Engine(bundle)
    tail = set_aside(engine, bundle.partition.point("layer3"), bundle)
    threads = [threading.Thread(target=tail, args=(crossing(bundle),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(engine.compiled) == 2


def test_one_that_is_at_hand_is_taken_as_it_is(bundle):
    engine, point = Engine(bundle), bundle.partition.point("layer3")
    half = engine.require("tail", point)
    assert set_aside(engine, point, bundle) is half
    output = bundle.partition.point("output")
    before = list(engine.compiled)
    set_aside(engine, output, bundle)
    assert engine.compiled == before


def test_one_that_does_not_run_is_an_error_of_the_start(bundle):
    engine = Engine(bundle)
    engine.fails = True
    with pytest.raises(EngineError, match="no memory"):
        set_aside(engine, bundle.partition.point("layer3"), bundle)


def test_one_that_fails_its_check_is_run_by_the_reference(bundle):
    """As any half is: in bfloat16 a tail may be too far from the probe, where the head is not."""
    engine, reference, point = Engine(bundle), NumpyEngine(bundle), bundle.partition.point("layer3")
    engine._reference = lambda: reference
    engine.fails = True
    tail = set_aside(engine, point, bundle)
    assert tail is reference.tail(point)
    assert engine.failed_checks == 1
    (found,), (want,) = tail(crossing(bundle)), NumpyEngine(bundle).tail(point)(crossing(bundle))
    np.testing.assert_array_equal(found, want)


def test_a_bundle_that_takes_the_folders_place_changes_nothing(bundle, tmp_path):
    tail = set_aside(Engine(bundle), bundle.partition.point("layer3"), bundle)
    bundle.folder.rename(tmp_path / "previous")
    tail(crossing(bundle))
    again = set_aside(Engine(bundle), bundle.partition.point("layer3"), bundle)
    write_bundle(tmp_path / "new", b"87654321").folder.rename(bundle.folder)
    again(crossing(bundle))


def test_files_that_were_written_over_are_not_mixed_with_what_runs(bundle):
    for path in (bundle.network, bundle.constants):
        tail = set_aside(Engine(bundle), bundle.partition.point("layer3"), bundle)
        os.utime(path, ns=(1, 1))
        with pytest.raises(EngineError, match=f"{path.name}: was written over since it was loaded"):
            tail(crossing(bundle))
