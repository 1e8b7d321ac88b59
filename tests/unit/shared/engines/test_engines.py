"""Engines: what is compiled is checked first, what fails is torch's, and every caller gets its own right answer."""

from __future__ import annotations

import copy
import itertools
import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from kits.edge import partition_of, tiny_model

from shared.engines import Engine, TorchEngine, choice, make_engine
from shared.engines.base import TOLERANCES
from shared.engines.openvino import network as openvino_network
from shared.engines.openvino import runtime as openvino_runtime
from shared.engines.openvino.engine import OpenVinoEngine
from shared.engines.probe import PICTURES, Probe, probe_pictures
from shared.engines.store import Store
from shared.errors import EngineError, SettingsError
from shared.network.partition import INPUT, OUTPUT, Partition
from shared.process.threads import available_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.network.model import Model
    from shared.network.partition import SplitPoint

    Distort = Callable[[np.ndarray], np.ndarray]

ROOT = Path(__file__).resolve().parents[4]
NATIVE = openvino_runtime.precisions()
"""What OpenVINO computes in on this CPU."""
KINDS = ["torch/float32", "torch/bfloat16", *(f"openvino/{precision}" for precision in NATIVE)]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    threads, root = torch.get_num_threads(), logging.getLogger()
    log = root.level, root.handlers[:], root.filters[:]
    yield
    torch.set_num_threads(threads)
    root.level, root.handlers[:], root.filters[:] = log


class Mixed(torch.nn.Module):
    """Small, and with what converters trip over: a batch size that is asked for, a table, a skip, views, two paths."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(3, 6, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(6)
        self.token = torch.nn.Parameter(torch.randn(1, 1, 6))
        self.table = torch.nn.Parameter(torch.randn(1, 17, 6))
        self.relu = torch.nn.ReLU(inplace=True)
        self.pool = torch.nn.AvgPool2d(2)
        self.mix = torch.nn.Linear(6, 6)
        self.last = torch.nn.Linear(6, 5)

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        tensor = self.relu(self.norm(self.first(tensor)))
        tensor = self.pool(tensor)
        n, c, h, w = tensor.shape
        tensor = tensor.reshape(n, c, h * w).permute(0, 2, 1)
        tensor = torch.cat([self.token.expand(n, -1, -1), tensor], dim=1) + self.table
        tensor = tensor + torch.nn.functional.gelu(self.mix(tensor))
        return self.last(tensor[:, 0] + tensor.mean(1))


@cache
def mixed_model() -> Model:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        network = Mixed()
        network(torch.randn(8, 3, 8, 8))  # gives the normalisation something to do
    tiny = tiny_model()
    return type(tiny)(
        name="mixed",
        weights="random:5",
        network=network.eval().requires_grad_(requires_grad=False),
        recipe=tiny.recipe,
        labels=tuple("abcde"),
        fingerprint=b"mixedmix",
    )


@cache
def converted() -> Any:
    return openvino_network.convert(partition_of(mixed_model()))


def probe_of(model: Model) -> Probe:
    partition = partition_of(model)
    return Probe(partition.points, model.recipe, TorchEngine(partition))


def engine_of(kind: str, **options: Any) -> Engine:
    """A new one, of the mixed network, which checks its halves."""
    name, _, precision = kind.partition("/")
    partition, probe = partition_of(mixed_model()), probe_of(mixed_model())
    if name == "torch":
        return TorchEngine(partition, precision=precision, probe=probe, **options)
    return OpenVinoEngine(
        converted(), partition.ends, precision=precision, probe=probe, **{"threads": 2} | options
    )


def given_to(kind: str, point: SplitPoint, rows: int, seed: int = 0) -> np.ndarray:
    """Rows that a half could get, each another one."""
    shape = partition_of(mixed_model()).input_shape if kind == "head" else point.shape
    return np.random.default_rng(seed).normal(0, 1, (rows, *shape)).astype(np.float32)


def by_torch(kind: str, point: SplitPoint, tensors: np.ndarray) -> np.ndarray:
    """The oracle, one row at a time."""
    part = getattr(partition_of(mixed_model()), kind)(point)
    with torch.inference_mode():
        return np.concatenate([part(torch.tensor(row[None], dtype=torch.float32)).numpy() for row in tensors])


def error(got: np.ndarray, wanted: np.ndarray) -> float:
    """The largest relative error of a row."""
    assert (got.dtype, got.shape) == (np.float32, wanted.shape)
    rows = (got - wanted).reshape(len(got), -1)
    return float((np.linalg.norm(rows, axis=1) / np.linalg.norm(wanted.reshape(len(got), -1), axis=1)).max())


def close(kind: str) -> float:
    """Not the probe's pictures, but other ones: twice what is accepted on it."""
    return 2 * TOLERANCES[kind.partition("/")[2]]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


MIDDLE = "pool"
"""A split point of the mixed network with work on both sides."""


def middle() -> SplitPoint:
    return partition_of(mixed_model()).point(MIDDLE)


# --- compiled once, and checked ---------------------------------------------------------------------------------------


class Fake(Engine):
    """Torch, but for what `distort` makes of its answers."""

    name, precision, device, threads = "fake", "float32", "cpu", 1

    def __init__(self, model: Model, distort: Distort | None = None, *, checked: bool = True) -> None:
        partition = partition_of(model)
        self.torch = TorchEngine(partition)
        super().__init__(*((probe_of(model), self.torch) if checked else (None, None)))
        self.distort = distort or (lambda values: values)
        self.compiled: list[tuple[str, str]] = []
        self.inside = self.most_inside = self.calls = 0
        self.segment = self.torch.segment

    segment = None  # of the instance, above

    @property
    def form(self) -> Any:
        return self.torch.form

    def _compile(self, kind: Any, point: SplitPoint) -> Any:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        self.compiled.append((kind, point.name))
        part = self.torch.require(kind, point)
        threading.Event().wait(0.01)
        self.inside -= 1

        def run(tensors: np.ndarray) -> np.ndarray:
            self.calls += 1
            return self.distort(part(tensors))

        return run


def test_a_half_is_compiled_and_checked_once_however_many_threads_ask() -> None:
    engine = Fake(tiny_model())
    points = [partition_of(tiny_model()).point(name) for name in ("conv", "relu")]
    wanted = [(kind, point) for kind in ("head", "tail") for point in points] * 4
    together = threading.Barrier(len(wanted))

    def ask(one: tuple[Any, SplitPoint]) -> Any:
        together.wait(30)
        return engine.require(*one)

    with ThreadPoolExecutor(len(wanted)) as pool:
        got = list(pool.map(ask, wanted))
    assert len(set(map(id, got))) == 4
    assert sorted(engine.compiled) == [("head", "conv"), ("head", "relu"), ("tail", "conv"), ("tail", "relu")]
    assert engine.calls == 4  # the checks
    assert engine.most_inside == 1
    assert engine.head(points[0]) is got[wanted.index(("head", points[0]))]
    assert engine.failed_checks == 0


def test_a_ready_half_is_not_held_up_by_one_that_is_being_compiled() -> None:
    """Another edge may ask for a new split point at any time; the frames of all others must not wait for it."""
    points = partition_of(tiny_model()).points
    compiling, go_on = threading.Event(), threading.Event()

    class Slow(Fake):
        def _compile(self, kind: Any, point: SplitPoint) -> Any:
            if point.name == "relu":
                compiling.set()
                assert go_on.wait(30)
            return super()._compile(kind, point)

    engine = Slow(tiny_model())
    ready = engine.tail(points["conv"])
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(engine.tail, points["relu"])
        try:
            assert compiling.wait(30)
            assert pool.submit(engine.tail, points["conv"]).result(5) is ready
        finally:
            go_on.set()
        assert slow.result(30) is engine.tail(points["relu"])


def test_at_the_ends_nothing_is_compiled_and_nothing_computed() -> None:
    engine = Fake(tiny_model(), lambda values: values * np.nan)
    points = partition_of(tiny_model()).points
    tensors = np.ones((2, 3, 8, 8), np.float32)
    assert engine.head(points[INPUT])(tensors) is tensors
    assert engine.require("tail", points[OUTPUT])(tensors) is tensors
    assert engine.compiled == []
    for kind, name in (("tail", INPUT), ("head", OUTPUT)):  # the whole network
        with pytest.raises(EngineError):
            engine.require(kind, points[name])


def stuck(values: np.ndarray) -> np.ndarray:
    """As from a half that is for one picture: the second row is the first one's."""
    return np.repeat(values[:1], len(values), axis=0)


def one_nan(values: np.ndarray) -> np.ndarray:
    values = values.copy()
    values.reshape(-1)[-1] = np.nan
    return values


def one_row_off(values: np.ndarray) -> np.ndarray:
    values = values.copy()
    values[-1] *= 1.002
    return values


DISTORTIONS: dict[str, Distort] = {
    "a little off": lambda values: values * np.float32(1.002),
    "one row off": one_row_off,
    "zeros": np.zeros_like,
    "one NaN": one_nan,
    "infinite": lambda values: values / np.float32(0),
    "batch size stuck": stuck,
    "rows in another order": lambda values: values[::-1],
    "a row too few": lambda values: values[:1],
    "a row too many": lambda values: np.concatenate([values, values[:1]]),
    "another shape": lambda values: values.reshape(len(values), -1, 1),
    "no shape at all": lambda values: values[0, 0],
}
distortions = pytest.mark.parametrize("distort", [pytest.param(f, id=n) for n, f in DISTORTIONS.items()])


@distortions
@pytest.mark.parametrize("kind", ["head", "tail"])
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
def test_a_half_that_gives_other_numbers_is_refused_and_run_by_torch(
    kind: str, distort: Distort, caplog: pytest.LogCaptureFixture
) -> None:
    model = tiny_model()
    point = partition_of(model).point("conv")
    engine, told = Fake(model, distort), []
    engine.on_failed_check = lambda: told.append(1)
    with pytest.raises(
        EngineError, match=f"fake in float32: the {kind} at conv differs from torch by .* 0.001"
    ):
        engine.require(kind, point)
    assert not warnings(caplog)
    assert engine.failed_checks == 0
    for _ in range(3):
        assert getattr(engine, kind)(point) is engine.torch.require(kind, point)
    assert (engine.failed_checks, told) == (1, [1])
    (warning,) = warnings(caplog)
    assert f"the {kind} at conv" in warning
    assert "torch in float32 runs this half instead" in warning
    other = "tail" if kind == "head" else "head"
    engine.distort = lambda values: values
    assert getattr(engine, other)(point) is not engine.torch.require(other, point)
    assert engine.failed_checks == 1


def test_what_is_within_the_tolerance_passes() -> None:
    engine = Fake(tiny_model(), lambda values: values * np.float32(1.0005))
    for point in partition_of(tiny_model()).points.values():
        engine.require("head", point)
        engine.require("tail", point)
    assert engine.failed_checks == 0


@pytest.mark.parametrize("fault", [EngineError("cannot be compiled"), None], ids=["compilation", "check"])
def test_a_failing_half_is_counted_and_said_once_however_many_threads_ask(
    fault: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Fake):
        def _compile(self, kind: Any, point: SplitPoint) -> Any:
            part = super()._compile(kind, point)
            if fault:
                raise fault
            return part

    engine = Failing(tiny_model(), lambda values: values * np.float32(np.nan))
    point = partition_of(tiny_model()).point("relu")
    together = threading.Barrier(6)

    def ask(_: int) -> Any:
        together.wait(30)
        return engine.tail(point)

    with ThreadPoolExecutor(6) as pool:
        got = list(pool.map(ask, range(6)))
    assert {id(part) for part in got} == {id(engine.torch.tail(point))}
    assert engine.failed_checks == 1
    assert len(warnings(caplog)) == 1
    assert len(engine.compiled) == 1


def test_without_a_reference_a_failure_is_the_callers(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Fake):
        def _compile(self, kind: Any, point: SplitPoint) -> Any:
            raise EngineError("no such operation")

    engine = Failing(tiny_model(), checked=False)
    for half in (engine.head, engine.tail):
        with pytest.raises(EngineError, match="no such operation"):
            half(partition_of(tiny_model()).point("conv"))
    assert engine.failed_checks == 0
    assert not warnings(caplog)


def test_an_engine_says_what_it_is() -> None:
    assert engine_of("torch/bfloat16", threads=3).describe() == {
        "name": "torch",
        "precision": "bfloat16",
        "device": "cpu",
        "threads": 3,
    }
    assert engine_of("openvino/float32", threads=2).describe() == {
        "name": "openvino",
        "precision": "float32",
        "device": "cpu",
        "threads": 2,
    }


# --- the probe --------------------------------------------------------------------------------------------------------


def test_the_probe_pictures_differ_and_are_always_the_same() -> None:
    recipe = tiny_model().recipe
    pictures = probe_pictures(recipe)
    assert pictures.shape == (PICTURES, *recipe.tensor_shape)
    assert PICTURES > 1
    assert pictures.dtype == np.float32
    np.testing.assert_array_equal(pictures, probe_pictures(recipe))
    assert error(pictures[:1], pictures[1:2]) > 0.1
    for picture in pictures:
        assert all(0.1 < channel.std() < 2 for channel in picture)


def test_the_error_is_relative_and_the_larger_one_of_the_two_pictures() -> None:
    probe, point = probe_of(tiny_model()), partition_of(tiny_model()).point("conv")
    reference = TorchEngine(partition_of(tiny_model()))

    def scaled(*factors: float) -> Any:
        rows = np.array(factors, np.float32)[:, None]
        return lambda tensors: rows * reference.tail(point)(tensors)

    assert probe.error("tail", point, reference.tail(point)) == pytest.approx(0, abs=1e-6)
    assert probe.error("tail", point, scaled(1, 1.25)) == pytest.approx(0.25, rel=1e-3)
    assert probe.error("tail", point, scaled(0.5, 1.25)) == pytest.approx(0.5, rel=1e-3)
    assert np.isnan(probe.error("tail", point, scaled(1, np.nan)))
    assert np.isnan(probe.error("tail", point, scaled(np.nan, 1)))


# --- any engine -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_at_every_split_point_both_halves_agree_with_torch(kind: str) -> None:
    engine = engine_of(kind)
    points = partition_of(mixed_model()).points
    assert len(points) > 8
    for half, point in itertools.product(("head", "tail"), points.values()):
        tensors = given_to(half, point, 3, seed=9)
        got = engine.require(half, point)(tensors)
        assert error(got, by_torch(half, point, tensors)) <= close(kind), (half, point.name)
    assert engine.failed_checks == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("half", ["head", "tail"])
def test_a_batch_may_be_of_any_size_in_any_order(kind: str, half: str) -> None:
    part = getattr(engine_of(kind), half)(middle())
    for rows in (1, 9, 2, 8, 3, 7, 4, 6, 5, 1, 9):
        tensors = given_to(half, middle(), rows, seed=rows)
        assert error(part(tensors), by_torch(half, middle(), tensors)) <= close(kind), rows


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("half", ["head", "tail"])
def test_a_result_belongs_to_the_caller_and_so_does_what_was_given(kind: str, half: str) -> None:
    part = getattr(engine_of(kind), half)(middle())
    first, second = given_to(half, middle(), 3, seed=1), given_to(half, middle(), 3, seed=2)
    before = first.copy()
    result = part(first)
    kept = result.copy()
    other = part(second)
    np.testing.assert_array_equal(result, kept)
    np.testing.assert_array_equal(first, before)
    assert not np.shares_memory(result, other)
    result[:] = 7  # writable, and nobody else's
    first[:] = 0
    assert error(other, by_torch(half, middle(), second)) <= close(kind)
    np.testing.assert_array_equal(part(second), other)


def odd_inputs(tensors: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The same values in every layout that somebody may come with."""
    read_only = np.frombuffer(tensors.tobytes(), np.float32).reshape(tensors.shape)
    assert not read_only.flags.writeable
    yield "read-only", read_only
    yield (
        "unaligned and read-only",
        np.frombuffer(b"x" + tensors.tobytes(), np.float32, offset=1).reshape(tensors.shape),
    )
    unaligned = np.frombuffer(bytearray(b"x" + tensors.tobytes()), np.float32, offset=1)
    assert not unaligned.flags.aligned
    yield "unaligned", unaligned.reshape(tensors.shape)
    yield "Fortran order", np.asfortranarray(tensors)
    yield "every second", np.repeat(tensors, 2, axis=-1)[..., ::2]
    yield "backwards", tensors[::-1].copy()[::-1]
    yield "a slice of a batch", np.concatenate([tensors, tensors, tensors])[len(tensors) : 2 * len(tensors)]
    yield "float64", tensors.astype(np.float64)
    yield "big-endian", tensors.astype(">f4")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("half", ["head", "tail"])
def test_however_the_values_lie_in_memory_the_answer_is_the_same(kind: str, half: str) -> None:
    part = getattr(engine_of(kind), half)(middle())
    tensors = given_to(half, middle(), 3, seed=4)
    expected = part(tensors)
    for how, same in odd_inputs(tensors):
        before = same.copy()
        np.testing.assert_allclose(part(same), expected, rtol=1e-5, atol=1e-6, err_msg=how)
        np.testing.assert_array_equal(same, before, err_msg=how)


@pytest.mark.parametrize("kind", KINDS)
def test_several_threads_that_call_one_half_get_their_own_answers(kind: str) -> None:
    part = engine_of(kind).tail(middle())
    batches = [
        np.float32(1.3**number) * given_to("tail", middle(), 1 + number % 4, seed=number)
        for number in range(12)
    ]
    expected = [by_torch("tail", middle(), batch) for batch in batches]
    nearest = min(error(one[:1], other[:1]) for one, other in itertools.permutations(expected, 2))
    accepted = min(close(kind), nearest / 2)  # the answer of another thread is none
    assert accepted > 0.05 or "float32" in kind
    together = threading.Barrier(6)

    def call(worker: int) -> float:
        together.wait(30)
        worst = 0.0
        for turn in range(30):
            number = (5 * worker + turn) % len(batches)
            worst = max(worst, error(part(batches[number]), expected[number]))
        return worst

    with ThreadPoolExecutor(6) as pool:
        assert max(pool.map(call, range(6))) <= accepted


# --- torch ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_another_precision_leaves_the_networks_own_parameters_alone(precision: str) -> None:
    network = mixed_model().network
    before = copy.deepcopy(network.state_dict())
    places = {name: value.data_ptr() for name, value in network.state_dict().items()}
    engine = TorchEngine(partition_of(mixed_model()), precision=precision)
    parts = [
        half(point)
        for point in partition_of(mixed_model()).points.values()
        for half in (engine.head, engine.tail)
    ]
    assert len(parts) > 10
    after = network.state_dict()
    assert {name: value.data_ptr() for name, value in after.items()} == places
    for name, value in before.items():
        assert after[name].dtype == value.dtype
        assert torch.equal(after[name], value)
    tensors = given_to("head", middle(), 2)
    plain = TorchEngine(partition_of(mixed_model())).head(middle())(tensors)
    assert error(plain, by_torch("head", middle(), tensors)) < 1e-6
    short = engine.head(middle())(tensors)
    assert 1e-5 < error(short, plain) < TOLERANCES[precision]  # it did compute in fewer digits


def test_in_float32_the_halves_are_the_networks_own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.engines.torch_engine.copy.deepcopy", lambda _: pytest.fail("copied"))
    engine = TorchEngine(partition_of(mixed_model()))
    for point in partition_of(mixed_model()).points.values():
        engine.head(point)
        engine.tail(point)


def test_threads_are_set_only_if_they_are_given() -> None:
    torch.set_num_threads(2)
    assert TorchEngine(partition_of(tiny_model())).threads == torch.get_num_threads() == 2
    assert TorchEngine(partition_of(tiny_model()), threads=1).threads == torch.get_num_threads() == 1


def test_a_half_that_torch_cannot_run_is_an_engine_error() -> None:
    class Picky(torch.nn.Module):
        def forward(self, tensor: torch.Tensor) -> torch.Tensor:
            return torch.linalg.svdvals(tensor.mean(1))

    partition = Partition(Picky().eval(), (3, 8, 8))
    TorchEngine(partition).require("head", partition.point(OUTPUT))
    with pytest.raises(EngineError, match="torch in bfloat16 on cpu cannot run the head at output: "):
        TorchEngine(partition, precision="bfloat16").require("head", partition.point(OUTPUT))


# --- OpenVINO ---------------------------------------------------------------------------------------------------------


def test_what_a_tensor_is_copied_to_lives_until_it_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request keeps the address of its input, not the input. What dies too early is overwritten here."""
    import weakref

    class Watched(np.ndarray):
        pass

    store = given_to("head", middle(), 3, seed=8)
    part = engine_of("openvino/float32").head(middle())
    expected = part(store.copy())

    def contiguous(_tensors: np.ndarray) -> np.ndarray:
        copied = store.view(Watched)
        weakref.finalize(copied, lambda: store.fill(np.nan))
        return copied

    monkeypatch.setattr("shared.engines.openvino.engine.contiguous", contiguous)
    np.testing.assert_array_equal(part(np.zeros_like(store)), expected)
    assert np.isnan(store).all()  # and no longer


@pytest.mark.parametrize("half", ["head", "tail"])
def test_a_tensor_of_another_shape_is_an_engine_error_and_harms_nobody(half: str) -> None:
    part = engine_of("openvino/float32").require(half, middle())
    good = given_to(half, middle(), 2)
    expected = part(good)
    for bad in (good[:, :-1], good[..., None], good[:, :, :-1], good.reshape(2, -1), good[0]):
        with pytest.raises(EngineError):
            part(bad)
        np.testing.assert_array_equal(part(good), expected)


@pytest.mark.parametrize(("streams", "threads"), [(1, 1), (1, 2), (2, 2)])
@pytest.mark.parametrize("precision", NATIVE)
def test_streams_threads_and_precision_are_what_was_asked_for(
    precision: str, streams: int, threads: int
) -> None:
    if available_cores() < threads:
        pytest.skip(f"this machine has not {threads} cores, and OpenVINO takes no more threads than that")
    part = engine_of(f"openvino/{precision}", streams=streams, threads=threads).tail(middle())
    compiled = part.requests.compiled
    assert compiled.get_property("NUM_STREAMS") == streams
    assert compiled.get_property("INFERENCE_NUM_THREADS") == threads
    assert f"'{precision}'" in str(compiled.get_property("INFERENCE_PRECISION_HINT"))
    tensors = [given_to("tail", middle(), 4, seed=seed) for seed in range(6)]
    with ThreadPoolExecutor(streams) as pool:
        for got, given in zip(pool.map(part, tensors), tensors, strict=True):
            assert error(got, by_torch("tail", middle(), given)) <= close(f"openvino/{precision}")


def test_a_conversion_with_its_batch_size_stuck_fails_its_check(monkeypatch: pytest.MonkeyPatch) -> None:
    original = openvino_network.ov.convert_model

    def convert(*arguments: Any, **options: Any) -> Any:
        return original(*arguments, **options | {"input": [1, *options["input"][1:]]})

    monkeypatch.setattr(openvino_network.ov, "convert_model", convert)
    partition = partition_of(mixed_model())
    engine = OpenVinoEngine(
        openvino_network.convert(partition), partition.ends, threads=1,
        probe=probe_of(mixed_model()), reference=TorchEngine(partition),
    )  # fmt: skip
    with pytest.raises(EngineError):  # a tail's parameter is made anew, of any size
        engine.require("head", middle())
    tensors = given_to("head", middle(), 3)
    assert error(engine.head(middle())(tensors), by_torch("head", middle(), tensors)) < 1e-6
    assert engine.failed_checks == 1


def test_a_network_that_cannot_be_converted_is_an_engine_error_of_one_line() -> None:
    class Odd(torch.nn.Module):
        def forward(self, tensor: torch.Tensor) -> torch.Tensor:
            return torch.linalg.svdvals(tensor.mean(1))

    with pytest.raises(EngineError, match=r"^openvino cannot take this network: [^\n]+$"):
        openvino_network.convert(Partition(Odd().eval(), (3, 8, 8)))


@pytest.mark.parametrize("fails", [False, True])
def test_a_conversion_leaves_the_log_as_it_was(fails: bool) -> None:
    """OpenVINO's converter makes itself at home in the root logger, and goes without cleaning up when it fails."""

    class Odd(torch.nn.Module):
        def forward(self, tensor: torch.Tensor) -> torch.Tensor:
            return torch.linalg.svdvals(tensor.mean(1))

    root = logging.getLogger()
    root.setLevel(logging.INFO)
    before = root.level, root.handlers[:], root.filters[:]
    if fails:
        with pytest.raises(EngineError):
            openvino_network.convert(Partition(Odd().eval(), (3, 8, 8)))
    else:
        openvino_network.convert(partition_of(tiny_model()))
    assert (root.level, root.handlers, root.filters) == before


def test_what_was_saved_is_read_again(tmp_path: Path) -> None:
    openvino_network.save(converted(), tmp_path / "network.xml")
    again = OpenVinoEngine(
        openvino_network.read(tmp_path / "network.xml"), partition_of(mixed_model()).ends, threads=1,
        probe=probe_of(mixed_model()), constants=tmp_path / "network.bin",
    )  # fmt: skip
    for point in partition_of(
        mixed_model()
    ).points.values():  # pages that were forgotten come from the file again
        for half in ("head", "tail"):
            tensors = given_to(half, point, 2)
            assert error(again.require(half, point)(tensors), by_torch(half, point, tensors)) <= 1e-4
    (tmp_path / "network.xml").write_text("<net")
    with pytest.raises(EngineError, match="not a network that openvino can read"):
        openvino_network.read(tmp_path / "network.xml")


def test_openvino_tells_nobody_that_it_is_used() -> None:
    """Its packages report their use over the network, unless the one that does so is absent."""
    script = """
import sys, threading
calls = []
sys.addaudithook(lambda event, arguments: calls.append((event, arguments)) if event.startswith("socket.") else None)
sys.path.insert(0, "tests")
from kits.edge import partition_of, tiny_model
partition = partition_of(tiny_model())
assert "openvino" not in sys.modules
calls.clear()
from shared.engines.openvino.runtime import core, ov
from shared.engines import openvino_network
assert sys.modules["openvino_telemetry"] is None
core().compile_model(openvino_network.convert(partition), "CPU")
assert sys.modules["openvino_telemetry"] is None
assert not [name for name in sys.modules if name.startswith("openvino_telemetry.")]
assert calls == [], calls
assert threading.active_count() == 1, threading.enumerate()
import socket
socket.socket().close()
assert calls
print("silent")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.endswith("silent\n"), done.stderr


# --- which one --------------------------------------------------------------------------------------------------------


class Bench:
    """make_engine with candidates of the test's own: how long each takes, and what it makes of its answers."""

    def __init__(
        self, patch: pytest.MonkeyPatch, precisions: tuple[str, ...] = ("bfloat16", "float32")
    ) -> None:
        self.seconds = {"openvino/bfloat16": 1.0, "openvino/float32": 2.0, "torch/float32": 3.0}
        self.distort: dict[str, Distort] = {}
        self.timed: list[str] = []
        self.built: list[str] = []
        self.checked: list[tuple[str, str, str]] = []
        patch.setattr(openvino_runtime, "precisions", lambda: list(precisions))
        patch.setattr(choice._Workbench, "build", self._build)
        patch.setattr(choice, "_seconds", self._time)

    def _build(self, name: str, precision: str) -> Engine:
        bench, called = self, f"{name}/{precision}"
        self.built.append(called)

        class Candidate(Fake):
            def check(self, kind: Any, point: SplitPoint, part: Any) -> None:
                bench.checked.append((called, kind, point.name))
                super().check(kind, point, part)

        engine = Candidate(tiny_model(), self.distort.get(called))
        engine.name, engine.precision = name, precision
        return engine

    def _time(self, engine: Engine, *_: Any) -> float:
        self.timed.append(f"{engine.name}/{engine.precision}")
        return self.seconds[self.timed[-1]]

    def make(self, **options: Any) -> str:
        engine = make_engine(partition_of(tiny_model()), tiny_model(), **options)
        return f"{engine.name}/{engine.precision}"


def off(values: np.ndarray) -> np.ndarray:
    return values * np.float32(1.5)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


@pytest.mark.parametrize("fastest", ["openvino/bfloat16", "openvino/float32", "torch/float32"])
def test_auto_takes_the_fastest(bench: Bench, fastest: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bench.seconds[fastest] = 0.5
    assert bench.make() == fastest
    assert sorted(bench.timed) == sorted(bench.seconds)
    assert not warnings(caplog)
    name, _, precision = fastest.partition("/")
    assert any(
        record.getMessage().startswith(f"engine {name} in {precision} on cpu, ") for record in caplog.records
    )


def test_auto_takes_the_next_one_where_the_fastest_fails_its_check(
    bench: Bench, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    bench.distort["openvino/bfloat16"] = off
    assert bench.make(cache_dir=str(tmp_path)) == "openvino/float32"
    (warning,) = warnings(caplog)
    assert "openvino in bfloat16: the head at output differs from torch" in warning
    assert "openvino/bfloat16" not in bench.timed
    bench.distort["openvino/float32"] = one_nan
    assert bench.make(cache_dir=str(tmp_path)) == "torch/float32"


@pytest.mark.parametrize(
    ("asked", "built"),
    [
        ({"name": "torch"}, ["torch/float32"]),
        ({"name": "torch", "precision": "bfloat16"}, ["torch/bfloat16"]),
        ({"name": "openvino", "precision": "float32"}, ["openvino/float32"]),
        ({"name": "openvino"}, ["openvino/bfloat16", "openvino/float32"]),
        ({"precision": "float32"}, ["openvino/float32", "torch/float32"]),
        ({"precision": "bfloat16"}, ["openvino/bfloat16", "torch/bfloat16"]),
        ({"precision": "float16"}, ["torch/float16"]),
        ({}, ["openvino/bfloat16", "openvino/float32", "torch/float32"]),
    ],
    ids=str,
)
def test_only_what_was_asked_for_is_tried(bench: Bench, asked: dict[str, str], built: list[str]) -> None:
    bench.seconds |= {"torch/bfloat16": 4.0, "torch/float16": 5.0}
    assert bench.make(**asked) == built[0]
    assert bench.built == built
    assert bench.timed == (built if len(built) > 1 else [])


@pytest.mark.parametrize("asked", ["openvino/float32", "openvino/bfloat16", "torch/bfloat16"])
def test_one_that_was_asked_for_and_fails_is_an_error_not_another_one(bench: Bench, asked: str) -> None:
    name, _, precision = asked.partition("/")
    bench.distort[asked] = off
    with pytest.raises(EngineError, match=f"{name} in {precision}: the head at output differs from torch"):
        bench.make(name=name, precision=precision)
    assert bench.built == [asked]


def test_where_every_candidate_fails_the_first_problem_is_said(bench: Bench) -> None:
    bench.distort = dict.fromkeys(bench.seconds, off)
    with pytest.raises(EngineError, match="openvino in bfloat16"):
        bench.make()


def test_a_precision_that_this_cpu_lacks_is_refused_with_those_it_has(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino_runtime, "precisions", lambda: ["float32"])
    for precision in ("bfloat16", "float16"):
        with pytest.raises(SettingsError, match=f"precision {precision} .* accepted: auto, float32$"):
            bench.make(name="openvino", precision=precision)
    assert bench.make(name="openvino") == "openvino/float32"


def test_on_a_gpu_there_is_torch_only(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "usable_device", lambda _: torch.device("cuda", 0))
    with pytest.raises(
        SettingsError, match="engine openvino computes on the CPU; on cuda:0 accepted: torch, auto"
    ):
        bench.make(name="openvino", device="cuda")
    bench.seconds |= {"torch/float16": 1.0, "torch/bfloat16": 0.5}
    assert bench.make(device="cuda") == "torch/bfloat16"
    assert bench.built == ["torch/float16", "torch/bfloat16", "torch/float32"]
    bench.built.clear()
    assert bench.make(device="cuda", precision="float32") == "torch/float32"
    assert bench.built == ["torch/float32"]


@pytest.mark.parametrize("device", ["tpu", "cuda:77", "cpu:x", ""])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(SettingsError, match=f"device '{device}' cannot be used here"):
        make_engine(partition_of(tiny_model()), tiny_model(), device=device)


def test_the_half_that_will_run_is_the_one_that_is_checked_and_timed(bench: Bench) -> None:
    points = partition_of(tiny_model()).points
    for kind, name, expected in (
        ("head", "conv", ("head", "conv")),
        ("tail", "conv", ("tail", "conv")),
        ("head", INPUT, ("tail", INPUT)),
        ("tail", OUTPUT, ("head", OUTPUT)),
        ("tail", INPUT, ("tail", INPUT)),
    ):
        bench.checked.clear()
        bench.make(kind=kind, point=points[name])
        assert {each[1:] for each in bench.checked} == {expected}
    bench.checked.clear()
    bench.make()
    assert {each[1:] for each in bench.checked} == {("head", OUTPUT)}  # the whole network


# --- choices on disk --------------------------------------------------------------------------------------------------


def test_a_choice_is_remembered_and_still_checked(bench: Bench, tmp_path: Path) -> None:
    bench.seconds["openvino/float32"] = 0.5
    assert bench.make(cache_dir=str(tmp_path)) == "openvino/float32"
    assert len(bench.timed) == 3
    bench.timed.clear()
    bench.built.clear()
    bench.checked.clear()
    bench.seconds["torch/float32"] = 0.1  # nobody looks
    assert bench.make(cache_dir=str(tmp_path)) == "openvino/float32"
    assert (bench.timed, bench.built) == ([], ["openvino/float32"])
    assert bench.checked == [("openvino/float32", "head", OUTPUT)]


def test_a_remembered_choice_that_fails_its_check_is_made_anew(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another version of an engine may fail where the old one did not; that is no reason not to start."""
    assert bench.make(cache_dir=str(tmp_path)) == "openvino/bfloat16"
    bench.distort["openvino/bfloat16"] = off
    assert bench.make(cache_dir=str(tmp_path)) == "openvino/float32"
    assert warnings(caplog)


@pytest.mark.parametrize("line", ["", "torch", "torch/float64", "openvino/float32\n", "\0", "x" * 1000])
def test_a_choice_that_is_none_of_the_candidates_is_made_again(
    bench: Bench, tmp_path: Path, line: str
) -> None:
    bench.make(cache_dir=str(tmp_path))
    (path,) = tmp_path.iterdir()
    path.write_text(line)
    bench.timed.clear()
    assert bench.make(cache_dir=str(tmp_path)) == "openvino/bfloat16"
    assert len(bench.timed) == 3
    assert path.read_text() == "openvino/bfloat16"


def test_a_choice_is_for_what_was_asked_and_nothing_else(bench: Bench, tmp_path: Path) -> None:
    points = partition_of(tiny_model()).points
    variants: list[dict[str, Any]] = [
        {},
        {"threads": 1},
        {"streams": 2},
        {"point": points["conv"]},
        {"point": points["conv"], "kind": "tail"},
        {"name": "openvino"},
        {"precision": "float32"},
    ]
    for turn in range(2):
        for variant in variants:
            bench.timed.clear()
            bench.make(cache_dir=str(tmp_path), **{"threads": 2} | variant)
            assert bool(bench.timed) == (turn == 0), variant
    assert len(list(tmp_path.iterdir())) == len(variants)


def test_without_a_folder_nothing_is_remembered(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    bench.make(cache_dir="")
    bench.make(cache_dir="")
    assert len(bench.timed) == 6
    assert list(tmp_path.iterdir()) == []


def test_a_tilde_is_the_users_home(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    bench.make(cache_dir="~/some/where")
    assert len(list((tmp_path / "some" / "where").iterdir())) == 1


@pytest.mark.parametrize("folder", ["~nobody-of-this-name/cache", "/proc/nobody/may/write", "/dev/null"])
def test_a_folder_that_cannot_be_used_costs_no_start(
    bench: Bench, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where there is no such user, there may be such a folder
    for _ in range(2):
        assert bench.make(cache_dir=folder) == "openvino/bfloat16"


# --- conversions ------------------------------------------------------------------------------------------------------


def make(**options: Any) -> Engine:
    return make_engine(partition_of(mixed_model()), mixed_model(), **{"threads": 1} | options)


def test_a_network_is_converted_once_and_read_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    conversions, convert = [], openvino_network.convert
    monkeypatch.setattr(
        openvino_network, "convert", lambda partition: conversions.append(1) or convert(partition)
    )
    for precision in NATIVE * 2:
        engine = make(name="openvino", precision=precision, cache_dir=str(tmp_path), point=middle())
        tensors = given_to("tail", middle(), 3)
        got = engine.tail(middle())(tensors)
        assert error(got, by_torch("tail", middle(), tensors)) <= close(f"openvino/{precision}")
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

    monkeypatch.setattr(openvino_network, "convert", refuse)
    monkeypatch.setattr(openvino_runtime, "precisions", lambda: ["bfloat16", "float32"])
    engine = make(cache_dir=str(tmp_path))
    assert (engine.name, engine.precision) == ("torch", "float32")
    assert warnings(caplog) == ["openvino cannot take this network: no such operation"]
    assert tried == [1]
    assert list(tmp_path.glob("*")) == []
    with pytest.raises(EngineError, match="cannot take this network"):
        make(name="openvino")


def test_a_disk_that_is_full_costs_a_warning_not_the_start(tmp_path: Path) -> None:
    script = f"""
import logging, resource, signal, sys
logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
sys.path.insert(0, "tests")
from kits.edge import partition_of, tiny_model
from shared.engines import make_engine
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (64, resource.RLIM_INFINITY))
engine = make_engine(
    partition_of(tiny_model()), tiny_model(), name="openvino", precision="float32", threads=1, cache_dir={str(tmp_path)!r}
)
print(engine.name)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "openvino\n", done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("WARNING")]
    assert str(tmp_path) in line
    assert Store(tmp_path).find("") is None
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


def test_halves_are_bounded_and_the_one_used_longest_ago_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may pack the network's weights anew, and any client may name any split point."""
    monkeypatch.setattr("shared.engines.base._MAX_PARTS", 3)
    partition = partition_of(mixed_model())
    engine = TorchEngine(partition)
    points = [point for point in partition.points.values() if point.name not in (INPUT, OUTPUT)]
    kept = engine.tail(points[0])
    for point in points[1:]:
        engine.tail(point)
        assert engine.tail(points[0]) is kept
        assert len(engine._parts) <= 3
    assert len(points) > 3
