"""Real engines behind the endpoints: what computes is none of the client's business, and `GET /model` says what it is."""

from __future__ import annotations

import contextlib
import itertools
import logging
import shutil
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits import bundles
from kits.cloud import FRAME, Server, request, until
from kits.codecs import frame_of
from kits.followed import Followed

from shared.codecs import NAMES
from shared.engines import load
from shared.engines.base import TOLERANCES
from shared.engines.openvino.runtime import precisions
from shared.engines.probe import Probe
from shared.tasks.classify import Classify
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.network.bundle import Bundle

pytestmark = pytest.mark.slow  # processes, networks or compilations

POINTS = ["input", "relu", "pool", "tokens", "mix", "output"]


@pytest.fixture(autouse=True, scope="module")
def _real(_loaded: None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cloud.networks.network.load_network", load.load_network)
        yield


@pytest.fixture(scope="module", params=["auto", "openvino"])
def fast(request: pytest.FixtureRequest, cache_dir: str, _real: None) -> Iterator[Server]:
    folder = str(bundles.tiny().folder)
    with Server(
        model=folder, weights="auto", engine=request.param, cache_dir=cache_dir, tail_workers=2
    ) as running:
        yield running


def crossings(name: str, count: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """What crosses at a split point for `count` pictures, and the outputs by the oracle."""
    pictures = np.random.default_rng(count).normal(size=(count, 3, 8, 8)).astype(np.float32)
    found = bundles.oracle(seed).crossings(pictures)
    return found[name][0], found["output"][0]


def error(answer: Any, expected: np.ndarray) -> float:
    """The largest relative error of a row."""
    rows = np.asarray(answer) - expected
    return float((np.linalg.norm(rows, axis=1) / np.linalg.norm(expected, axis=1)).max())


def framed(bundle: Bundle, array: np.ndarray, split_point: str, number: int = 1) -> bytes:
    fields = {
        "split_point": split_point,
        "fingerprint": bundle.model.fingerprint,
        "frame_id": number,
        "deadline_ms": 0,
    }
    return wire.pack(frame_of(NAMES["float32"], array, **fields))


def classes(top: list[Any]) -> list[int]:
    return [each["class_id"] for each in top]


def test_it_says_what_computes(fast: Server) -> None:
    said = fast.ask("GET", "/model").json["engine"]
    assert said.keys() == {"name", "precision", "device", "threads", "choice"}
    assert (said["name"], said["device"]) == (fast.service.network.engine.name, "cpu")
    labels = {"engine": said["name"], "precision": said["precision"]}
    (build,) = (
        sample.labels
        for family in fast.service.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "splitdnn_build_info"
    )
    assert labels.items() <= build.items()


def test_tensors_get_the_answer_of_the_unsplit_network(fast: Server) -> None:
    limit = TOLERANCES[fast.service.network.engine.precision]
    for name in POINTS:
        tensors, expected = crossings(name, 3)
        answer = fast.post({"data": tensors.tolist(), "split_point": name})
        assert answer.status == 200, name
        assert error(answer.json["result"], expected) <= limit, name


def test_frames_of_many_connections_get_their_own_answers(fast: Server) -> None:
    """Two tails at once, batches of any size, and payloads that a tail must not write to."""
    tensors, expected = crossings("pool", 12)
    tensors[1::2] *= 3  # so that no two answers are near each other
    expected = bundles.oracle().tail("pool", tensors)[0]
    wanted = np.stack([probabilities(row) for row in expected])
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(fast.connect()) for _ in range(12)]
        for turn in range(3):
            for number, connection in enumerate(connections):
                data = framed(bundles.tiny(), tensors[number], "pool", 100 * turn + number)
                connection.send(request("POST", "/model?top=5", data, FRAME))
            for number, connection in enumerate(connections):
                answer = connection.answer().json
                assert answer["frame_id"] == 100 * turn + number
                found = np.zeros(bundles.CLASSES)
                found[classes(answer["top"])] = [each["probability"] for each in answer["top"]]
                distances = np.linalg.norm(wanted - found, axis=1)
                assert distances.argmin() == number
                assert distances[number] < 0.02
    until(fast.is_empty)


def probabilities(logits: np.ndarray) -> np.ndarray:
    """By class."""
    found = np.zeros(len(logits))
    for each in Classify([""] * len(logits), len(logits)).answer((logits,)).top:
        found[each["class_id"]] = each["probability"]
    return found


@pytest.mark.usefixtures("expect_log")
def test_a_tail_that_fails_its_check_while_it_serves_is_run_by_the_reference_and_counted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = [precision for precision in precisions() if precision != "float32"]
    if not short:
        pytest.skip("this processor computes in float32 only, which is the reference itself")
    folder = str(bundles.tiny().folder)
    tensors, expected = crossings("relu", 2)
    with Server(model=folder, weights="auto", engine="openvino", precision=short[0]) as server:
        assert server.service.network.default.name != "relu"
        assert server.metric("engine_failed_checks_total") == 0
        with monkeypatch.context() as patch:
            errors = itertools.chain(
                [float("nan")], itertools.repeat(0.0)
            )  # the reference's own check passes
            patch.setattr(Probe, "error", lambda *_: next(errors))
            for _ in range(3):
                server.post({"data": tensors.tolist(), "split_point": "relu"})
        answer = server.post({"data": tensors.tolist(), "split_point": "relu"})
        np.testing.assert_allclose(answer.json["result"], expected, rtol=1e-3, atol=1e-3)
        assert server.metric("engine_failed_checks_total") == 1
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert any("runs this half instead" in line for line in warnings)


def test_frames_flow_while_the_network_is_exchanged_and_every_one_is_answered_by_its_own(
    tmp_path: Path,
) -> None:
    """A sender for each bundle, both without a pause; each change is taken in between."""
    kept = [make(tmp_path / f"kept{seed}", seed) for seed in (5, 6)]
    given = [crossings("pool", 1, seed)[0] for seed in (5, 6)]
    wanted = [
        int(bundles.oracle(seed).tail("pool", tensors)[0].argmax())
        for seed, tensors in zip((5, 6), given, strict=True)
    ]
    path = tmp_path / "bundle"
    shutil.copytree(kept[0].folder, path)
    ends = threading.Event()
    statuses: list[list[tuple[int, bool]]] = [[], []]

    def send(which: int, server: Followed) -> None:
        data = framed(kept[which], given[which][0], "pool")
        with server.connect() as connection:
            while not ends.is_set():
                answer = connection.ask("POST", "/model?top=1", data, FRAME)
                right = answer.status == 200 and classes(answer.json["top"]) == [wanted[which]]
                statuses[which].append((answer.status, right))

    with Followed(path, precision="float32", engine="openvino") as server:
        threads = [threading.Thread(target=send, args=(which, server)) for which in (0, 1)]
        threads[0].start()
        try:
            exchange(server, kept[1])
            assert server.ask("GET", "/model").json["fingerprint"] == kept[1].model.fingerprint.hex()
            assert server.service.network.tails.is_ready("pool")  # before its first frame
            threads[1].start()
            until(lambda: len(statuses[1]) >= 20)
            exchange(server, kept[0])
            exchange(server, kept[1])
            sent = len(statuses[0]), len(statuses[1])
            until(lambda: len(statuses[0]) > sent[0] + 10 and len(statuses[1]) > sent[1] + 10)
        finally:
            ends.set()
            for thread in threads:
                if thread.ident:
                    thread.join()
        assert server.metric("network_changes_total", result="taken") == 3
        assert server.metric("networks") == 2
        until(server.is_empty)
    assert {each for sender in statuses for each in sender} == {(200, True)}


def make(folder: Path, seed: int) -> Bundle:
    folder.mkdir()
    return bundles.make(folder, seed=seed)


def exchange(server: Followed, bundle: Bundle) -> None:
    """Put a copy of this bundle in the folder's place."""
    aside = server.path.with_name("aside")
    shutil.copytree(bundle.folder, aside)
    server.path.rename(server.path.with_name("gone"))
    aside.rename(server.path)
    shutil.rmtree(server.path.with_name("gone"))
    server.look()
