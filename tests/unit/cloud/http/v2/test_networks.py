"""Networks of several crossing tensors and outputs, and more networks than one, through `/v2`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from kits.codecs import frame_of
from kits.followed import followed
from kits.inference import asked, infer, outputs, path_of, tensor, texts
from kits.numpy_network import PYRAMID
from kits.several import tensors

from shared.codecs import NAMES
from shared.wire import frame as wire

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = b"old.....", b"new....."
FLAT = np.linspace(-1, 1, 512, dtype=np.float32)[None]
TOLERANCE = {"rtol": 1e-4, "atol": 2e-4}


def framed(fingerprint: bytes) -> bytes:
    return wire.pack(
        frame_of(NAMES["float32"], FLAT[0], split_point="flatten", fingerprint=fingerprint, deadline_ms=0)
    )


def test_several_tensors_cross_by_their_numbers(tmp_path: Path) -> None:
    with followed(tmp_path / "bundle", OLD, bundle={"pyramid": PYRAMID}) as server:
        said = server.ask("GET", path_of(server, "")).json["parameters"]["split_points"]["pyramid"]
        assert [(each["name"], each["shape"]) for each in said] == [
            (f"pyramid[{number}]", [-1, *shape]) for number, shape in enumerate(PYRAMID)
        ]
        crossing = [np.repeat(each[None], 2, axis=0) for each in tensors(PYRAMID)]
        network = server.service.network
        (logits,) = network.engine.tail(network.partition.point("pyramid"))(tuple(crossing))
        given = [tensor(f"pyramid[{number}]", each) for number, each in enumerate(crossing)]
        for order in ([0, 1, 2], [2, 0, 1]):
            found = outputs(infer(server, *(given[number] for number in order)))
            np.testing.assert_allclose(found["output"], logits, **TOLERANCE)
        refused = infer(server, *given[:2]).refused(422, "shape")
        assert refused["accepted"] == {"inputs": ["pyramid[0]", "pyramid[1]", "pyramid[2]"]}
        infer(server, given[0], tensor("flatten", np.repeat(FLAT, 2, axis=0))).refused(422, "shape")
        infer(server, *given[:2], tensor("pyramid[2]", crossing[2][:1])).refused(422, "shape")
        infer(server, tensor("pyramid", crossing[0])).refused(422, "split_point")


def test_several_outputs(tmp_path: Path) -> None:
    several = {"outputs": ["logits", "features"], "task": {"name": "raw", "activation": "none"}, "labels": []}
    with followed(tmp_path / "bundle", OLD, bundle=several) as server:
        said = server.ask("GET", path_of(server, "")).json
        assert [(each["name"], each["shape"]) for each in said["outputs"]] == [
            ("logits", [-1, 1000]), ("features", [-1, 512]), ("answer", [-1]),
        ]  # fmt: skip
        found = outputs(infer(server, tensor("flatten", FLAT)))
        assert {name: each.shape for name, each in found.items()} == {
            "logits": (1, 1000),
            "features": (1, 512),
        }
        np.testing.assert_allclose(found["features"], FLAT, **TOLERANCE)
        found = outputs(
            infer(server, tensor("flatten", FLAT), outputs=asked("features", "answer", binary_data=True))
        )
        assert list(found) == ["features", "answer"]
        assert json.loads(found["answer"][0])["task"] == "raw"
        classes = outputs(infer(server, tensor("flatten", FLAT), outputs=asked("features", classification=1)))
        assert classes["features"] == [b"1.000000:511"]  # it has no labels


def test_an_output_that_is_named_answer_is_the_networks(tmp_path: Path) -> None:
    with followed(tmp_path / "bundle", OLD, bundle={"outputs": ["answer"]}) as server:
        assert [each["name"] for each in server.ask("GET", path_of(server, "")).json["outputs"]] == ["answer"]
        assert outputs(infer(server, tensor("flatten", FLAT)))["answer"].shape == (1, 1000)


def test_a_version_goes_on_when_another_network_comes(tmp_path: Path) -> None:
    with followed(tmp_path / "bundle", OLD) as server:
        before = outputs(infer(server, tensor("flatten", FLAT)))["output"]
        server.replace(NEW)
        assert server.ask("GET", path_of(server, "")).json["versions"] == [NEW.hex(), OLD.hex()]
        now = outputs(infer(server, tensor("flatten", FLAT)))["output"]
        assert not np.allclose(now, before, **TOLERANCE)
        old = path_of(server, f"/versions/{OLD.hex()}/infer")
        np.testing.assert_allclose(
            outputs(infer(server, tensor("flatten", FLAT), path=old))["output"], before, **TOLERANCE
        )
        # A frame says for which network it is.
        np.testing.assert_allclose(outputs(infer(server, texts(framed(OLD))))["output"], before, **TOLERANCE)
        np.testing.assert_allclose(outputs(infer(server, texts(framed(NEW))))["output"], now, **TOLERANCE)
        infer(server, texts(framed(NEW)), path=old).refused(409, "fingerprint")
        infer(server, texts(framed(NEW), framed(OLD))).refused(409, "fingerprint")
        assert server.ask("GET", path_of(server, f"/versions/{OLD.hex()}/ready")).json["version"] == OLD.hex()
        server.ask("GET", path_of(server, "/versions/1/ready")).refused(404, "unknown_model")


def test_a_frame_of_another_model_is_not_its(tmp_path: Path) -> None:
    with followed(tmp_path / "bundle", OLD, bundle={"name": "first"}) as server:
        server.replace(NEW, name="second")
        infer(server, texts(framed(OLD))).refused(409, "fingerprint")
        assert infer(server, texts(framed(OLD)), path="/v2/models/first/infer").status == 200
