"""Several networks at one cloud: each frame is answered by its own, JSON and every reply go by the current one."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.cloud import FRAME, Gate, request, until
from kits.codecs import frame_of
from kits.followed import Followed, followed
from kits.gain import Gained, gain_profile
from kits.numpy_network import network_of, write_bundle

from shared.codecs import NAMES
from shared.network.bundle import read_bundle
from shared.tasks.classify import top_classes
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OLD, NEW, NEWEST = b"old.....", b"new.....", b"newest.."
ARRAY = np.linspace(-1, 1, 512, dtype=np.float32)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Followed]:
    with followed(tmp_path / "bundle", OLD) as server:
        yield server


def classes(top: list[Any]) -> list[int]:
    return [each["class_id"] for each in top]


def expected(folder: Path, array: np.ndarray = ARRAY) -> list[int]:
    """The classes that the bundle in this folder gives."""
    network = network_of(read_bundle(folder))
    (logits,) = network.engine.tail(network.partition.point("flatten"))((array[None],))
    return classes(top_classes(logits[0], network.model.labels, 3))


def test_a_frame_is_answered_by_its_own_network_and_told_the_current_one(cloud: Followed) -> None:
    before = cloud.ask_frame(OLD, ARRAY).json
    assert before["fingerprint"] == OLD.hex()
    cloud.replace(NEW)
    old, new = cloud.ask_frame(OLD, ARRAY).json, cloud.ask_frame(NEW, ARRAY).json
    assert classes(old["top"]) == classes(before["top"]) == expected(cloud.path.with_name("previous"))
    assert classes(new["top"]) == expected(cloud.path) != classes(old["top"])
    assert old["fingerprint"] == new["fingerprint"] == NEW.hex()
    refusal = cloud.ask_frame(NEWEST, ARRAY).refused(409, "fingerprint")
    assert (refusal["accepted"]["fingerprint"], refusal["accepted"]["also_serves"]) == (
        NEW.hex(),
        [OLD.hex()],
    )


def test_model_says_which_is_current_and_which_are_served_as_well(cloud: Followed) -> None:
    assert cloud.ask("GET", "/model").json["also_serves"] == []
    for fingerprint in (NEW, NEWEST):
        cloud.replace(fingerprint, name=f"net {fingerprint.decode()}")
    said = cloud.ask("GET", "/model").json
    assert (said["fingerprint"], said["also_serves"]) == (NEWEST.hex(), [NEW.hex(), OLD.hex()])
    assert said["model"] == "net newest.."
    assert cloud.metric("networks") == 3
    assert cloud.metric("network_changes_total", result="taken") == 2
    builds = [
        sample.labels["fingerprint"]
        for family in cloud.service.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "splitdnn_build_info"
    ]
    assert builds == [NEWEST.hex()]


def test_json_is_for_the_current_network(cloud: Followed) -> None:
    body = {"data": [ARRAY.tolist()], "split_point": "flatten"}
    before = cloud.post(body).json["result"]
    cloud.replace(NEW)
    assert cloud.post(body).json["result"] != before
    np.testing.assert_allclose(
        cloud.post(body).json["result"],
        network_of(read_bundle(cloud.path)).engine.tail(cloud.service.network.partition.point("flatten"))((ARRAY[None],))[0],
        rtol=1e-4, atol=1e-4,
    )  # fmt: skip


def test_frames_in_progress_are_finished_by_the_network_they_came_for_and_share_no_batch(
    cloud: Followed,
) -> None:
    """The old network's tail is held, the cloud changes, and frames of both wait in one queue."""
    wanted = classes(cloud.ask_frame(OLD, ARRAY).json["top"])

    def data(fingerprint: bytes, number: int) -> bytes:
        frame = frame_of(
            NAMES["float32"],
            ARRAY,
            split_point="flatten",
            fingerprint=fingerprint,
            deadline_ms=0,
            frame_id=number,
        )
        return request("POST", "/model?top=3", wire.pack(frame), FRAME)

    with contextlib.ExitStack() as stack:
        gate = stack.enter_context(Gate(cloud))
        connections = [stack.enter_context(cloud.connect()) for _ in range(5)]
        connections[0].send(data(OLD, 0))
        gate.entered()
        cloud.replace(NEW)
        for number, fingerprint in ((1, NEW), (2, OLD), (3, NEW), (4, OLD)):
            connections[number].send(data(fingerprint, number))
        until(lambda: cloud.metric("queue_depth") == 4)
        gate.open()
        answers = [connection.answer().json for connection in connections]
    other = classes(answers[1]["top"])
    assert other == expected(cloud.path) != wanted
    assert [classes(answer["top"]) for answer in answers] == [wanted, other, wanted, other, wanted]
    assert [answer["frame_id"] for answer in answers] == [0, 1, 2, 3, 4]
    assert {answer["fingerprint"] for answer in answers} == {NEW.hex()}
    assert gate.batches == [("flatten", 1), ("flatten", 2)]  # of the old network
    until(cloud.is_empty)


def test_going_back_is_one_change_more(cloud: Followed) -> None:
    before = classes(cloud.ask_frame(OLD, ARRAY).json["top"])
    cloud.replace(NEW)
    aside = cloud.path.with_name("aside")
    cloud.path.rename(aside)
    cloud.path.with_name("previous").rename(cloud.path)
    cloud.look()
    assert cloud.ask_frame(NEW, ARRAY).json["fingerprint"] == OLD.hex()
    assert classes(cloud.ask_frame(OLD, ARRAY).json["top"]) == before


def test_tail_times_are_those_of_one_network(cloud: Followed) -> None:
    old = cloud.ask("GET", "/tail-times").json
    cloud.replace(NEW)
    assert cloud.service.network.tails.chained  # as a planner had asked for the earlier one's
    new = cloud.ask("GET", "/tail-times").json
    assert (old["fingerprint"], new["fingerprint"]) == (OLD.hex(), NEW.hex())
    assert cloud.ask("GET", f"/tail-times?fingerprint={OLD.hex()}").json == old
    assert cloud.ask("GET", f"/tail-times?fingerprint={NEW.hex()}").json == new
    cloud.ask("GET", f"/tail-times?fingerprint={NEWEST.hex()}").refused(409, "fingerprint")
    for text in ("00", "X" * 16, NEW.hex().upper()):
        cloud.ask("GET", f"/tail-times?fingerprint={text}").refused(400, "bad_body")


@pytest.mark.usefixtures("gained")
def test_profiles_belong_to_one_network_and_go_with_it(tmp_path: Path) -> None:
    def framed(profile: Any, fingerprint: bytes) -> bytes:
        fields = {"split_point": "flatten", "fingerprint": fingerprint, "deadline_ms": 0}
        return wire.pack(frame_of(Gained(profile), ARRAY, **fields))

    with followed(tmp_path / "bundle", OLD) as cloud:
        profile = gain_profile(OLD, "flatten", (512,))
        assert cloud.put_profile(profile.data).status == 201
        cloud.put_profile(gain_profile(NEW, "flatten", (512,)).data).refused(409, "fingerprint")
        cloud.replace(NEW)
        assert cloud.frame(framed(profile, OLD)).status == 200  # its edge goes on until it has the new one
        refusal = cloud.frame(framed(profile, NEW)).refused(422, "bad_content")
        assert refusal["accepted"] == {"fingerprint": OLD.hex()}
        other = gain_profile(NEW, "flatten", (512,))
        assert cloud.put_profile(other.data).status == 201
        assert cloud.frame(framed(other, NEW)).status == 200
        cloud.replace(NEWEST)
        cloud.replace(b"latest..")
        assert cloud.ask("GET", "/model").json["profiles"] == [other.name]
        assert cloud.metric("profiles") == 1


def test_a_broken_bundle_leaves_the_network_as_it_is(
    cloud: Followed, expect_log: pytest.LogCaptureFixture
) -> None:
    (cloud.path / "network.bin").write_bytes(b"tampered with")
    cloud.look()
    assert cloud.ask_frame(OLD, ARRAY).json["fingerprint"] == OLD.hex()
    assert cloud.metric("network_changes_total", result="failed") == 1
    assert "network.bin is not the file that was written" in expect_log.text


def test_frames_are_answered_while_another_network_is_loaded(
    cloud: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def load(*_arguments: object, **_options: object) -> Any:
        entered.set()
        assert go_on.wait(60)
        return network_of(read_bundle(cloud.path))

    monkeypatch.setattr("cloud.networks.network.load_network", load)
    changing = threading.Thread(target=cloud.replace, args=(NEW,))
    changing.start()
    try:
        assert entered.wait(60)
        for _ in range(20):
            assert cloud.ask_frame(OLD, ARRAY).json["fingerprint"] == OLD.hex()
        cloud.ask_frame(NEW, ARRAY).refused(409, "fingerprint")
        assert cloud.ask("GET", "/readyz").status == 200
    finally:
        go_on.set()
        changing.join()
    assert cloud.ask_frame(NEW, ARRAY).json["fingerprint"] == NEW.hex()


def test_a_server_may_stop_while_another_network_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = threading.Event(), threading.Event()
    with followed(tmp_path / "bundle", OLD) as cloud:

        def load(*_arguments: object, **_options: object) -> Any:
            entered.set()
            assert go_on.wait(60)
            return network_of(read_bundle(cloud.path))

        monkeypatch.setattr("cloud.networks.network.load_network", load)
        write_bundle(cloud.path, NEW)
        try:
            assert entered.wait(60)  # by the server's own looks
            cloud.stop_service().result(60)
        finally:
            go_on.set()
    assert cloud.service.networks.current.model.fingerprint == OLD
