"""`POST /model` with a picture's file."""

from __future__ import annotations

import json
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from kits.cloud import Server, request, until, waiting
from kits.naming import naming
from kits.picture_files import jpeg_of_size, png_file, saved, webp
from kits.tokens import Tokens, bearing
from PIL import Image

from edge.frames.preprocess import Preprocess
from edge.sources.pictures.depth import Depth
from edge.sources.pictures.reading import frames_of
from shared.limits import MAX_FILE_PIXELS, MAX_PICTURE_PIXELS

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from kits.cloud import Response

    from shared.network.model import Model

JPEG, PNG, WEBP = ({"Content-Type": f"image/{name}"} for name in ("jpeg", "png", "webp"))
BOUNDARY = "----------------8x8"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def scene(height: int = 240, width: int = 360) -> Image.Image:
    coarse = np.random.default_rng(3).integers(0, 256, (9, 13, 3), dtype=np.uint8)
    return Image.fromarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(scene(), "JPEG", exif=exif.tobytes())


def part(data: bytes, name: str = "image") -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"; filename="dog.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    return f"--{BOUNDARY}\r\n{head}".encode() + data + b"\r\n"


def form(*files: bytes) -> bytes:
    return b"".join(map(part, files)) + f"--{BOUNDARY}--\r\n".encode()


FILES: dict[str, tuple[bytes, dict[str, str]]] = {
    "jpeg": (saved(scene(), "JPEG", quality=90), JPEG),
    "turned jpeg": (turned(), JPEG),
    "png": (saved(scene().convert("P"), "PNG"), PNG),
    "webp": (saved(scene(), "WEBP", lossless=True), WEBP),
    "a jpeg that is called otherwise": (saved(scene(), "JPEG"), PNG),
    "image/jpg": (saved(scene(), "JPEG"), {"Content-Type": "IMAGE/JPG; q=1"}),
}


def sent(server: Server, data: bytes, kind: dict[str, str] = JPEG, query: str = "") -> Response:
    return server.post(data, kind, "/model" + query)


def test_a_picture_is_answered_as_one_that_an_edge_reads_and_sends_without_loss(
    server: Server, model: Model, pack: Any
) -> None:
    before = server.metric("payload_bytes_count", codec="image")
    for name, (data, kind) in FILES.items():
        ((read, _),) = frames_of(data, Depth(), name)
        for source_size in (False, True):
            preprocess = Preprocess(model.recipe, source_size=source_size)
            frame = pack(preprocess.outgoing(read, preprocess(read)), "raw", split_point="input")
            expected = server.frame(frame, "?top=7").json
            with naming(name, source_size):
                answer = sent(server, data, kind, "?top=7")
                assert answer.status == 200, answer.body
                assert (answer.json["top"], len(answer.json["top"])) == (expected["top"], 7)
                assert answer.json.keys() == expected.keys()
                assert answer.json["split_point"] == "input"
                assert answer.headers["content-digest"].startswith("sha-256=")
                assert list(answer.json["stages_ms"]) == ["receive", "decode", "queue", "tail", "top"]
    assert server.metric("payload_bytes_count", codec="image") == before + 2 * len(FILES)
    until(server.is_empty)


def test_a_form_of_one_file_is_that_file(server: Server) -> None:
    data = FILES["jpeg"][0]
    expected = sent(server, data).json["top"]
    for body in (form(data), b"a preamble\r\n" + form(data), form(data) + b"\r\nan epilogue"):
        assert sent(server, body, FORM).json["top"] == expected
    quoted = {"Content-Type": f'Multipart/Form-Data; Boundary="{BOUNDARY}"'}
    assert sent(server, form(data), quoted).json["top"] == expected


def test_other_forms_are_refused(server: Server) -> None:
    data = FILES["jpeg"][0]
    for name, body, kind in (
        ("two files", form(data, data), FORM),
        ("none", f"--{BOUNDARY}--\r\n".encode(), FORM),
        ("no end", part(data), FORM),
        ("no boundary", form(data), {"Content-Type": "multipart/form-data"}),
        ("an empty boundary", form(data), {"Content-Type": "multipart/form-data; boundary="}),
        ("a long boundary", form(data), {"Content-Type": f"multipart/form-data; boundary={'x' * 71}"}),
        ("another boundary", form(data), {"Content-Type": "multipart/form-data; boundary=another"}),
        ("a head without end", f"--{BOUNDARY}\r\n".encode() + b"x" * 9999 + form(data), FORM),
        ("nothing", b"", FORM),
    ):
        with naming(name):
            refusal = sent(server, body, kind).refused(400, "bad_body")
            assert "curl -F image=@dog.jpg" in refusal["accepted"]


def animation(kind: str) -> bytes:
    frames = [scene(30, 40), scene(30, 40).rotate(90)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


def test_what_cannot_be_read_is_refused_by_name(server: Server, expect_log: object) -> None:
    jpeg, png = FILES["jpeg"][0], FILES["png"][0]
    lossless = FILES["webp"][0]
    cases = {
        "nothing": (b"", "it is empty"),
        "text": (b"not a picture at all", "begins with 6e 6f 74"),
        "another format": (saved(scene(), "GIF"), "as none of JPEG, PNG, WebP does"),
        "half a jpeg": (jpeg[: len(jpeg) // 2], "it is cut off"),
        "half a jpeg that ends": (jpeg[: len(jpeg) // 2] + b"\xff\xd9", "it is cut off"),
        "half a jpeg that ends in zeros": (jpeg[: len(jpeg) // 2] + bytes(len(jpeg)) + b"\xff\xd9", "cut off"),
        "half a png": (png[: len(png) // 2], "it is cut off"),
        "a damaged png": (png[:60] + bytes((png[60] ^ 1,)) + png[61:], "it is damaged"),
        "half a webp": (lossless[: len(lossless) // 2], "it is cut off"),
        "a webp whose data are damaged": (lossless[:40] + bytes(len(lossless) - 40), "not a readable picture"),
        "a moving webp": (animation("WEBP"), "it is an animation; accepted: one picture"),
        "a moving png": (animation("PNG"), "it is an animation; accepted: one picture"),
    }  # fmt: skip
    before = server.metric("rejected_total", reason="bad_content")
    for name, (data, text) in cases.items():
        with naming(name):
            assert text in sent(server, data, PNG).refused(422, "bad_content")["error"]
    assert server.metric("rejected_total", reason="bad_content") == before + len(cases)
    until(server.is_empty)


def test_who_does_not_say_that_it_is_a_picture_is_told_to(server: Server) -> None:
    for kind in ({}, {"Content-Type": "application/x-www-form-urlencoded"}):
        for data in (FILES["jpeg"][0], FILES["png"][0], FILES["webp"][0]):
            assert (
                "Content-Type such as image/jpeg"
                in sent(server, data, kind).refused(400, "bad_body")["error"]
            )


def test_a_bomb_is_refused_by_its_header(server: Server) -> None:
    side = int(MAX_FILE_PIXELS**0.5) + 1
    for name, data in {
        "jpeg": jpeg_of_size(side, side),
        "png": png_file(side, side, rows=b""),
        "webp": webp()[:26] + side.to_bytes(2, "little") * 2 + webp()[30:],
    }.items():
        with naming(name):
            refusal = sent(server, data).refused(413, "too_large")
            assert refusal["accepted"] == {"max_pixels": MAX_FILE_PIXELS}
            assert f"{side} x {side} pixels" in refusal["error"]


def test_of_large_pictures_one_is_decoded_at_a_time(server: Server) -> None:
    width = 3000
    large = saved(scene(MAX_PICTURE_PIXELS // width + 1, width), "JPEG", quality=30)
    held = threading.Event()
    for _ in range(server.service.pools.pictures.size):
        server.occupy(server.service.pools.pictures, held)
    with server.connect("127.0.0.2") as one, server.connect("127.0.0.3") as other:
        one.send(request("POST", "/model", large, JPEG))
        other.send(request("POST", "/model", large, JPEG))
        until(lambda: server.service.decoder.large_turns.waiting() == 1)
        assert waiting(server.service.pools.pictures) == 1
        held.set()
        assert [each.answer().status for each in (one, other)] == [200, 200]


def test_a_picture_that_waited_too_long_is_not_decoded(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, late_s, monotonic = threading.Event(), 0.0, time.monotonic
    monkeypatch.setattr("cloud.http.base.time", SimpleNamespace(monotonic=lambda: monotonic() + late_s))
    for _ in range(server.service.pools.pictures.size):
        server.occupy(server.service.pools.pictures, held)
    with server.connect() as one:
        one.send(request("POST", "/model", FILES["jpeg"][0], JPEG))
        until(lambda: waiting(server.service.pools.pictures) == 1)
        late_s = 30.0
        held.set()
        one.answer().refused(504, "deadline")


def test_a_picture_is_charged_to_its_sender_and_is_in_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Server(ledger=str(path)) as server:
        assert sent(server, FILES["jpeg"][0]).status == 200
        sent(server, b"").refused(422, "bad_content")
        assert server.service.clients.account("127.0.0.1").compute_s > 0
        until(lambda: path.read_text().count("\n") == 2)
    found = [json.loads(line) for line in path.read_text().splitlines()]
    keys = ("frame_id", "outcome", "reason", "split_point", "codec")
    assert [tuple(line[key] for key in keys) for line in found] == [
        (None, "answered", None, "input", "image"),
        (None, "refused", "bad_content", "input", "image"),
    ]


def test_a_picture_needs_the_right_to_post_frames(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "tokens")
    data = FILES["jpeg"][0]
    with Server(token_file=str(tokens.path)) as server:
        for kind, body in ((JPEG, data), (FORM, form(data))):
            assert sent(server, body, kind | bearing(tokens.of["frames"])).status == 200
            sent(server, body, kind | bearing(tokens.of["json"])).refused(403, "forbidden")
            sent(server, body, kind).refused(401, "unauthenticated")


def test_a_larger_picture_than_a_frame_may_bring_is_answered(server: Server) -> None:
    """Such as a phone's of 12 million pixels."""
    photograph = scene(3000, 4000)
    small = sent(server, saved(photograph.resize((400, 300)), "PNG"), PNG).json["top"]
    answer = sent(server, saved(photograph, "JPEG", quality=90))
    assert answer.status == 200
    assert {each["class_id"] for each in answer.json["top"]} & {each["class_id"] for each in small}
