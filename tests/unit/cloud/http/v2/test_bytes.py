"""Frames, pictures' files and pixels as the input of an inference request."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.cloud import Server
from kits.inference import HEADER, asked, infer, outputs, path_of, tensor, texts
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OUTPUT = "output"
ANSWER = asked("answer", binary_data=True)


def picture(seed: int, height: int = 240, width: int = 320) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def file_of(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def same(found: list[Any], expected: list[Any]) -> bool:
    """Whether these are the same classes: numbers differ in the last digit with the batch that a row was in."""
    return [each["class_id"] for each in found] == [each["class_id"] for each in expected] and np.allclose(
        [each["probability"] for each in found],
        [each["probability"] for each in expected],
        atol=1e-4,
    )


def answer_to(server: Server, data: bytes, kind: str) -> Any:
    """What `POST /model` answers."""
    return server.post(data, {"Content-Type": kind}).json["top"]


def test_a_frame(server: Server, pack: Callable[..., bytes]) -> None:
    frame = pack()
    expected = server.frame(frame).json
    found = outputs(infer(server, texts(frame), outputs=[*ANSWER, *asked(OUTPUT, binary_data=True)]))
    answer = json.loads(found["answer"][0])
    assert (answer.keys(), answer["task"]) == ({"task", "top"}, "classify")
    assert same(answer["top"], expected["top"])
    assert found[OUTPUT].argmax() == expected["top"][0]["class_id"]


def test_frames_of_several_split_points(server: Server, pack: Callable[..., bytes]) -> None:
    """Each row is the answer to its own frame."""
    frames = [
        pack(np.random.default_rng(number).normal(size=shape).astype(np.float32), split_point=point)
        for number, (point, shape) in enumerate(
            [("flatten", (512,)), ("layer4", (512, 7, 7)), ("flatten", (512,)), ("avgpool", (512, 1, 1))]
        )
    ]
    found = outputs(infer(server, texts(*frames), outputs=ANSWER))["answer"]
    for frame, answer in zip(frames, found, strict=True):
        assert same(json.loads(answer)["top"], server.frame(frame).json["top"])


def test_every_codec(server: Server, pack: Callable[..., bytes]) -> None:
    for codec in ("float32", "float16", "int8", "int8+zstd", "float16+zstd"):
        frame = pack(codec=codec)
        found = outputs(infer(server, texts(frame), outputs=ANSWER))["answer"]
        assert same(json.loads(found[0])["top"], server.frame(frame).json["top"]), codec


def test_files_of_pictures(server: Server) -> None:
    files = [file_of(picture(1), "JPEG"), file_of(picture(2)), file_of(picture(3, 224, 224), "WEBP")]
    kinds = ["image/jpeg", "image/png", "image/webp"]
    expected = [answer_to(server, data, kind) for data, kind in zip(files, kinds, strict=True)]
    found = outputs(infer(server, texts(*files), outputs=ANSWER))["answer"]
    for each, top in zip(found, expected, strict=True):
        assert same(json.loads(each)["top"], top)
    alone = outputs(infer(server, texts(files[0]), outputs=ANSWER))["answer"]
    assert same(json.loads(alone[0])["top"], expected[0])


def test_pictures_beside_frames(server: Server, pack: Callable[..., bytes]) -> None:
    file, frame = file_of(picture(4)), pack()
    found = outputs(infer(server, texts(file, frame), outputs=ANSWER))["answer"]
    tops = [json.loads(each)["top"] for each in found]
    assert same(tops[0], answer_to(server, file, "image/png"))
    assert same(tops[1], server.frame(frame).json["top"])


def test_pixels(server: Server, pack: Callable[..., bytes]) -> None:
    """As a file's where they are of another size than the network's, as a frame's where they are of its own."""
    for height, width in ((240, 320), (224, 224)):
        several = np.stack([picture(seed, height, width) for seed in range(2)])
        found = outputs(infer(server, tensor("input", several), outputs=ANSWER))["answer"]
        for pixels, answer in zip(several, found, strict=True):
            frame = pack(pixels, "raw", split_point="input")
            assert same(json.loads(answer)["top"], server.frame(frame).json["top"]), (height, width)
            if height != 224:
                assert same(json.loads(answer)["top"], answer_to(server, file_of(pixels), "image/png"))
    infer(server, tensor("input", picture(0)[None, ..., :2])).refused(422, "shape")


def test_a_body_without_json(server: Server, pack: Callable[..., bytes]) -> None:
    file, frame = file_of(picture(5)), pack()
    for data, expected in (
        (file, answer_to(server, file, "image/png")),
        (frame, server.frame(frame).json["top"]),
    ):
        path = path_of(server) + "?outputs=answer,output&top=5"
        found = outputs(server.ask("POST", path, data, **{HEADER: "0"}))
        assert same(json.loads(found["answer"][0])["top"], expected)
        assert found[OUTPUT].shape == (1, 1000)
    assert list(outputs(server.ask("POST", path_of(server), frame, **{HEADER: "0"}))) == [OUTPUT]


def test_one_bad_row_is_the_requests_refusal(server: Server, pack: Callable[..., bytes]) -> None:
    frame = pack()
    for bad, status, reason in (
        (frame[:-1], 400, "bad_frame"),
        (pack(fingerprint=b"another!"), 409, "fingerprint"),
        (pack(split_point="nowhere"), 422, "split_point"),
        (b"neither", 422, "bad_content"),
        (b"", 422, "bad_content"),
        (file_of(picture(6))[:500], 422, "bad_content"),
    ):
        infer(server, texts(frame, bad, frame)).refused(status, reason)
        infer(server, texts(bad)).refused(status, reason)
    assert infer(server, texts(frame)).status == 200


def test_bytes_elsewhere(server: Server, pack: Callable[..., bytes]) -> None:
    refused = infer(server, texts(pack(), name="layer3")).refused(422, "split_point")
    assert refused["accepted"] == ["input"]


@pytest.mark.parametrize("count", [1, 3])
def test_frames_have_their_lines_in_the_ledger(
    tmp_path: Path, pack: Callable[..., bytes], count: int
) -> None:
    ledger = tmp_path / "ledger.jsonl"
    with Server(ledger=str(ledger)) as server:
        frames = [pack(frame_id=number) for number in range(count)]
        assert infer(server, texts(*frames)).status == 200
        infer(server, texts(*frames[:-1], frames[-1][:-1])).refused(400, "bad_frame")
        assert infer(server, texts(file_of(picture(7)))).status == 200
        assert infer(server, tensor("flatten", np.ones((3, 512), np.float16))).status == 200
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert sorted(each["frame_id"] for each in lines[:count]) == [f"{number:016x}" for number in range(count)]
    assert {each["outcome"] for each in lines[:count]} == {"answered"}
    refused = [each for each in lines if each["outcome"] == "refused"]
    assert {each["reason"] for each in refused} == {"bad_frame"}
    found = [[each[key] for key in ("outcome", "codec", "split_point", "frame_id")] for each in lines[-2:]]
    assert found == [["answered", "image", "input", None], ["answered", "float16", "flatten", None]]
