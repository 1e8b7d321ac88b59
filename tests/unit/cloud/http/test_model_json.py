"""`POST /model`: the original contract, tensors as nested lists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.cloud import JSON, Server

if TYPE_CHECKING:
    from shared.network.partition import Partition


@pytest.mark.parametrize("name", ["input", "layer2", "layer4.0.add", "avgpool", "output"])
def test_the_original_contract_gives_what_the_unsplit_network_gives(
    server: Server, crossing: Any, name: str
) -> None:
    for count in (1, 3):
        tensors, expected = crossing(name, count)
        answer = server.post({"data": tensors.tolist(), "count": 41 + count, "split_point": name})
        assert (answer.status, answer.json["count"]) == (200, 41 + count)
        np.testing.assert_allclose(answer.json["result"], expected, rtol=1e-4, atol=1e-4)


def test_without_a_split_point_json_is_of_the_default_one(server: Server, crossing: Any) -> None:
    tensors, expected = crossing("layer3")
    for kind in (JSON, {}, {"Content-Type": "application/x-www-form-urlencoded"}):
        answer = server.post({"data": tensors.tolist()}, kind)
        assert (answer.status, answer.json["count"]) == (200, None)
        np.testing.assert_allclose(answer.json["result"], expected, rtol=1e-4, atol=1e-4)


def test_an_answer_that_is_not_finite_is_refused_and_never_sent(server: Server) -> None:
    huge = np.full((1, 512, 7, 7), 3e38, np.float32)  # each is finite, their mean is not
    answer = server.post({"data": huge.tolist(), "split_point": "layer4"})
    assert (answer.status, answer.json["reason"]) == (422, "bad_content")
    assert "not finite" in answer.json["error"]


FITS = json.dumps([[0.5] * 512])


def at_flatten(data: str, more: str = "") -> str:
    return '{"data": ' + data + ', "split_point": "flatten"' + more + "}"


REFUSED = [
    ("", 400, "bad_body"),
    ("{'data': 1}", 400, "bad_body"),
    ("\ud800", 400, "bad_body"),
    ("[]", 400, "bad_body"),
    ("{}", 400, "bad_body"),
    ("[" * 100_000, 400, "bad_body"),
    ('{"data":' + "[" * 100_000, 400, "bad_body"),
    ('{"data": [[1, 2], [3]]}', 422, "shape"),
    ('{"data": "picture"}', 422, "shape"),
    ('{"data": [["1", "2"]]}', 422, "shape"),
    ('{"data": {"a": 1}}', 422, "shape"),
    ('{"data": []}', 422, "shape"),
    ('{"data": ' + FITS + "}", 422, "shape"),
    (at_flatten(FITS.replace("0.5", "NaN", 1)), 422, "bad_content"),
    (at_flatten(FITS.replace("0.5", "1e40", 1)), 422, "bad_content"),
    (at_flatten(FITS.replace("0.5", "9" * 400, 1)), 422, "shape"),
    (at_flatten(FITS.replace("0.5", "9" * 5000, 1)), 400, "bad_body"),
    ('{"data": ' + FITS + ', "split_point": 5}', 400, "bad_body"),
    (at_flatten(FITS).replace('"flatten"', "[" * 900 + "]" * 900), 400, "bad_body"),
    (at_flatten(FITS, ', "count": NaN'), 400, "bad_body"),
    (at_flatten(FITS, ', "count": ' + "[" * 900 + "]" * 900), 400, "bad_body"),
    (at_flatten(json.dumps([[0] * 512] * 65)), 413, "too_large"),
]  # fmt: skip


def test_json_that_no_tail_can_take_is_refused_by_name(server: Server) -> None:
    for body, status, reason in REFUSED:
        server.post(body.encode("utf-8", "surrogatepass")).refused(status, reason)


def test_an_unknown_split_point_is_told_the_nearest(server: Server, partition: Partition, pack: Any) -> None:
    for answer in (
        server.post({"data": [], "split_point": "layer33"}),
        server.frame(pack(split_point="layer33")),
    ):
        refusal = answer.refused(422, "split_point")
        assert "did you mean layer3" in refusal["error"]
        assert refusal["accepted"] == list(partition.points)
