"""What computes is none of the client's business: the answers are the same, and `GET /model` says what it is."""

from __future__ import annotations

import contextlib
import itertools
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from kits.cloud import FRAME, Server, request, until

from shared.engines.base import TOLERANCES
from shared.engines.probe import Probe
from shared.tasks.classify import top_classes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.network.model import Model
    from shared.network.partition import Partition

pytestmark = pytest.mark.slow  # processes, networks or compilations

POINTS = ["input", "layer2", "layer4.0.add", "flatten", "output"]


@pytest.fixture(scope="module", params=["auto", "openvino"])
def fast(request: pytest.FixtureRequest, cache_dir: str, _loaded: None) -> Iterator[Server]:
    with Server(engine=request.param, cache_dir=cache_dir, tail_workers=2) as running:
        yield running


@pytest.fixture(scope="module")
def crossing(partition: Partition) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Tensors that could cross at a split point, and what torch makes of them: another answer for each."""

    def make(name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
        point = partition.point(name)
        random = np.random.default_rng(count)
        tensors = ((random.normal(size=(count, *point.shape)) * 16).round() / 16).astype(np.float32)
        for number in range(count):
            tensors[number] *= 2.0 ** (number % 5 - 2)
            tensors[number, number % point.shape[0]] += 3 * (1 + number % 3)
        with torch.inference_mode():
            expected = partition.tail(point)(torch.from_numpy(tensors)).numpy()
        for one, other in itertools.permutations(range(count), 2):
            assert error(expected[[one]], expected[[other]]) > 2 * max(TOLERANCES.values())
        return tensors, expected

    return make


def error(answer: Any, expected: np.ndarray) -> float:
    """The largest relative error of a row."""
    rows = np.asarray(answer) - expected
    return float((np.linalg.norm(rows, axis=1) / np.linalg.norm(expected, axis=1)).max())


def test_it_says_what_computes(fast: Server) -> None:
    said = fast.ask("GET", "/model").json["engine"]
    assert said.keys() == {"name", "precision", "device", "threads"}
    assert (said["name"], said["device"]) == (fast.service.network.engine.name, "cpu")
    labels = {"engine": said["name"], "precision": said["precision"]}
    (build,) = (
        sample.labels
        for family in fast.service.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "splitdnn_build_info"
    )
    assert labels.items() <= build.items()


@pytest.mark.parametrize("name", POINTS)
def test_tensors_get_the_answer_of_the_unsplit_network(fast: Server, crossing: Any, name: str) -> None:
    tensors, expected = crossing(name, 3)
    answer = fast.post({"data": tensors.tolist(), "split_point": name})
    assert answer.status == 200
    assert error(answer.json["result"], expected) <= TOLERANCES[fast.service.network.engine.precision]


def test_frames_of_many_connections_get_their_own_answers(
    fast: Server, crossing: Any, pack: Any, resnet18: Model
) -> None:
    """Two tails at once, batches of any size, and payloads that a tail must not write to."""
    tensors, expected = crossing("layer4", 12)
    wanted = np.stack([probabilities(top_classes(row, resnet18.labels, 1000)) for row in expected])
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(fast.connect()) for _ in range(12)]
        for turn in range(3):
            for number, connection in enumerate(connections):
                data = pack(tensors[number], split_point="layer4", frame_id=100 * turn + number)
                connection.send(request("POST", "/model?top=1000", data, FRAME))
            for number, connection in enumerate(connections):
                answer = connection.answer().json
                assert answer["frame_id"] == 100 * turn + number
                distances = np.linalg.norm(wanted - probabilities(answer["top"]), axis=1)
                assert distances.argmin() == number
                assert distances[number] <= 2 * TOLERANCES["bfloat16"] * np.linalg.norm(wanted[number])
                assert distances[number] < np.delete(distances, number).min() / 2
    until(fast.is_empty)


def probabilities(top: list[Any]) -> np.ndarray:
    """By class, of an answer with all of them."""
    found = np.zeros(len(top))
    for each in top:
        found[each["class_id"]] = each["probability"]
    return found


@pytest.mark.usefixtures("expect_log")
def test_a_tail_that_fails_its_check_while_it_serves_is_run_by_torch_and_counted(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    crossing: Any,
) -> None:
    tensors, expected = crossing("layer4.0.add", 2)
    with Server(engine="torch", precision="bfloat16") as server:
        assert server.metric("engine_failed_checks_total") == 0
        with monkeypatch.context() as patch:
            patch.setattr(Probe, "error", lambda *_: float("nan"))
            for _ in range(3):
                answer = server.post({"data": tensors.tolist(), "split_point": "layer4.0.add"})
                np.testing.assert_allclose(answer.json["result"], expected, rtol=1e-4, atol=1e-4)
        assert server.metric("engine_failed_checks_total") == 1
        answer = server.post({"data": crossing("flatten", 1)[0].tolist(), "split_point": "flatten"})
        assert answer.status == 200
        assert server.metric("engine_failed_checks_total") == 1
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "layer4.0.add" in warnings[0]
