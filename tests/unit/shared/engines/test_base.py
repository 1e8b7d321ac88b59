"""A half is compiled once and checked first; one that fails is run by the reference."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.bundles import tiny
from kits.engines import DISTORTIONS, Fake, new_engine, warnings

from shared.engines.base import in_rows
from shared.errors import EngineError
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from shared.network.partition import SplitPoint


def test_a_half_is_compiled_and_checked_once_however_many_threads_ask() -> None:
    engine = Fake(compile_s=0.01)
    points = [tiny().partition.point(name) for name in ("conv", "relu")]
    wanted = [(kind, point) for kind in ("head", "tail") for point in points] * 4
    together = threading.Barrier(len(wanted))

    def ask(one: tuple[Any, SplitPoint]) -> Any:
        together.wait(60)
        return engine.require(*one)

    with ThreadPoolExecutor(len(wanted)) as pool:
        got = list(pool.map(ask, wanted))
    assert len(set(map(id, got))) == 4
    assert sorted(engine.compiled) == [("head", "conv"), ("head", "relu"), ("tail", "conv"), ("tail", "relu")]
    assert engine.calls == 4  # the checks
    assert engine.max_inside == 1
    assert engine.head(points[0]) is got[wanted.index(("head", points[0]))]
    assert engine.failed_checks == 0


def test_a_ready_half_is_not_held_up_by_one_that_is_being_compiled() -> None:
    """Another edge may ask for a new split point at any time; the frames of all others must not wait for it."""
    points = tiny().partition.points
    compiling, go_on = threading.Event(), threading.Event()

    class Slow(Fake):
        def _compile(self, kind: Any, point: SplitPoint) -> Any:
            if point.name == "relu":
                compiling.set()
                assert go_on.wait(60)
            return super()._compile(kind, point)

    engine = Slow()
    ready = engine.tail(points["conv"])
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(engine.tail, points["relu"])
        try:
            assert compiling.wait(60)
            assert pool.submit(engine.tail, points["conv"]).result(60) is ready
            assert not slow.done()
        finally:
            go_on.set()
        assert slow.result(60) is engine.tail(points["relu"])


def test_at_the_ends_nothing_is_compiled_and_nothing_computed() -> None:
    engine = Fake(lambda values: values * np.nan)
    points = tiny().partition.points
    tensors = (np.ones((2, 3, 8, 8), np.float32),)
    assert engine.head(points[INPUT])(tensors) is tensors
    assert engine.require("tail", points[OUTPUT])(tensors) is tensors
    assert engine.compiled == []
    for kind, name in (("tail", INPUT), ("head", OUTPUT)):  # the whole network
        with pytest.raises(EngineError):
            engine.require(kind, points[name])


@pytest.mark.parametrize("kind", ["head", "tail"])
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
def test_a_half_that_gives_other_numbers_is_refused_and_run_by_the_reference(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    point = tiny().partition.point("conv")
    other = "tail" if kind == "head" else "head"
    for what, distort in DISTORTIONS.items():
        engine, told = Fake(distort), []
        engine.on_failed_check = lambda told=told: told.append(1)
        caplog.clear()
        try:
            engine.require(kind, point)
        except EngineError as refusal:
            said = str(refusal)
        else:
            pytest.fail(f"{what}: not refused")
        assert said.startswith(f"fake in float32: the {kind} at conv differs from the bundle's probe by "), (
            what
        )
        assert said.endswith(" 0.001"), what
        assert not warnings(caplog), what
        assert engine.failed_checks == 0, what
        for _ in range(3):
            assert getattr(engine, kind)(point) is engine.reference.require(kind, point), what
        assert (engine.failed_checks, told) == (1, [1]), what
        (warning,) = warnings(caplog)
        assert f"the {kind} at conv" in warning, what
        assert "openvino in float32 runs this half instead" in warning, what
        engine.distort = lambda values: values
        assert getattr(engine, other)(point) is not engine.reference.require(other, point), what
        assert engine.failed_checks == 1, what


def test_a_half_within_the_tolerance_passes() -> None:
    engine = Fake(lambda values: values * np.float32(1.0005))
    for point in tiny().partition.points.values():
        engine.require("head", point)
        engine.require("tail", point)
    assert engine.failed_checks == 0


@pytest.mark.parametrize("fault", [EngineError("cannot be compiled"), None], ids=["compilation", "check"])
def test_a_failing_half_is_counted_and_logged_once_however_many_threads_ask(
    fault: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Fake):
        def _compile(self, kind: Any, point: SplitPoint) -> Any:
            half = super()._compile(kind, point)
            if fault:
                raise fault
            return half

    engine = Failing(lambda values: values * np.float32(np.nan), compile_s=0.01)
    point = tiny().partition.point("relu")
    together = threading.Barrier(6)

    def ask(_: int) -> Any:
        together.wait(60)
        return engine.tail(point)

    with ThreadPoolExecutor(6) as pool:
        got = list(pool.map(ask, range(6)))
    assert {id(half) for half in got} == {id(engine.reference.tail(point))}
    assert engine.failed_checks == 1
    assert len(warnings(caplog)) == 1
    assert len(engine.compiled) == 1


def test_without_a_reference_the_caller_gets_the_error(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Fake):
        def _compile(self, kind: Any, point: SplitPoint) -> Any:
            raise EngineError("no such operation")

    engine = Failing(checked=False)
    for half in (engine.head, engine.tail):
        with pytest.raises(EngineError, match="no such operation"):
            half(tiny().partition.point("conv"))
    assert engine.failed_checks == 0
    assert not warnings(caplog)


def test_an_engine_describes_itself() -> None:
    assert new_engine("float32", threads=2).describe() == {
        "name": "openvino",
        "precision": "float32",
        "device": "cpu",
        "threads": 2,
    }
    assert new_engine().choice == {"how": "only one", "milliseconds": {}, "margin": None}


def test_the_number_of_halves_is_bounded_and_the_least_recently_used_one_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each may pack the network's weights anew, and any client may name any split point."""
    monkeypatch.setattr("shared.engines.base._MAX_HALVES", 3)
    engine = Fake()
    points = [point for point in tiny().partition.points.values() if point.name not in (INPUT, OUTPUT)]
    first = engine.tail(points[0])
    for point in points[1:]:
        engine.tail(point)
        assert engine.tail(points[0]) is first
        assert len(engine._halves) <= 3
    assert len(points) > 3
    engine.release()
    assert engine.at_hand("tail", points[0]) is None


def test_a_half_for_a_single_use_is_checked_and_not_held() -> None:
    engine, point = Fake(), tiny().partition.point("conv")
    engine.once("head", point)
    assert engine.at_hand("head", point) is None
    assert engine.calls == 1
    held = engine.head(point)
    assert engine.once("head", point) is held
    engine.distort = lambda values: values + 1
    with pytest.raises(EngineError, match="differs from the bundle's probe"):
        engine.once("tail", point)


def test_a_network_of_one_picture_at_a_time_is_given_them_one_after_another() -> None:
    sizes = []

    def half(tensors: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        sizes.append(len(tensors[0]))
        return tensors[0] * 2, tensors[0][:, :1]

    given = np.arange(12, dtype=np.float32).reshape(4, 3)
    doubled, first = in_rows(half)((given,))
    assert sizes == [1, 1, 1, 1]
    np.testing.assert_array_equal(doubled, given * 2)
    np.testing.assert_array_equal(first, given[:, :1])
