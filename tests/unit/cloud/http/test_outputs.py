"""Networks of several outputs, of the task raw, and of few classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from kits.codecs import frame_of
from kits.followed import followed

from shared.codecs import NAMES
from shared.wire import frame as wire

if TYPE_CHECKING:
    from pathlib import Path

OLD = b"old....."
ARRAY = np.linspace(-1, 1, 512, dtype=np.float32)


def test_several_outputs_are_json_by_name_and_an_answer_of_the_task_raw(tmp_path: Path) -> None:
    outputs = {"outputs": ["logits", "features"], "task": {"name": "raw", "activation": "none"}, "labels": []}
    with followed(tmp_path / "bundle", OLD, bundle=outputs) as cloud:
        said = cloud.ask("GET", "/model").json
        assert (said["task"], said["outputs"], said["classes"]) == ("raw", ["logits", "features"], 0)
        assert "output" not in said["split_points"]
        result = cloud.post({"data": [ARRAY.tolist(), (2 * ARRAY).tolist()], "split_point": "flatten"}).json[
            "result"
        ]
        assert {name: (len(rows), len(rows[0])) for name, rows in result.items()} == {
            "logits": (2, 1000),
            "features": (2, 512),
        }
        np.testing.assert_allclose(result["features"][1], 2 * ARRAY, rtol=1e-5)
        answer = cloud.ask_frame(OLD, ARRAY).json
        assert [each["name"] for each in answer["outputs"]] == ["logits", "features"]
        refusal = cloud.ask_frame(OLD, np.zeros(1000, np.float32), "output").refused(422, "split_point")
        assert "2 tensors cross at output" in refusal["error"]


def test_a_network_of_few_classes_is_not_refused_the_default_top(tmp_path: Path) -> None:
    few = {"labels": ["cat", "dog", "bird"]}
    with followed(tmp_path / "bundle", OLD, bundle=few) as cloud:
        frame = wire.pack(
            frame_of(NAMES["float32"], np.ones(3, np.float32), split_point="output", fingerprint=OLD)
        )
        assert len(cloud.frame(frame).json["top"]) == 3
        assert cloud.frame(frame, "?top=4").refused(400, "bad_body")["accepted"] == {"top": "1 to 3"}
