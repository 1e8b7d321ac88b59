"""The edge's page over HTTP: what is asked for, and who may."""

from __future__ import annotations

import asyncio
import re

import cv2
import numpy as np
import pytest
from kits.edge_page import PageRun, boxes, events, first_state, served
from kits.tokens import Tokens, bearing

from edge.output.page.page import edge_document
from shared.security.gate import Gate
from shared.security.rights import Right
from shared.security.sessions import Sessions
from shared.security.tokens.file import TokenFile

PATHS = ("/", "/events", "/watch?camera=camera", "/snapshot/camera.jpg?frame=0")


def run(check, page=None, gate=None):
    async def go():
        made = page() if page else PageRun()
        async with served(made, gate) as port, asyncio.timeout(60):
            await check(made, port)

    asyncio.run(go())


def refusals(made, reason):
    name = "splitdnn_edge_page_refusals_total"
    return made.metrics.registry.get_sample_value(name, {"reason": reason})


def test_the_page_is_one_small_document():
    async def check(_, port):
        answer = await port.ask("/")
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/html; charset=UTF-8"
        assert answer.headers["Content-Security-Policy"] == edge_document().policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert len(answer.body) <= 60_000
        head = await port.ask("/", "HEAD")
        assert (head.status, head.body) == (200, b"")

    run(check)


def test_the_page_calls_nothing_that_makes_markup_of_text():
    html = edge_document().html.decode()
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", " style=", "://"):
        assert word not in html, word


def test_no_request_of_the_page_is_waited_for_without_end():
    """A connection that nobody answers any more would be the last of its camera's pictures."""
    requests = re.findall(r"\bfetch\(.*", edge_document().html.decode())
    assert len(requests) == 3
    assert all("AbortSignal.timeout(" in each for each in requests)


def test_a_state_tells_of_every_camera():
    async def check(made, port):
        made.frame("gate", answer=boxes((1.0, 2.0, 11.0, 22.0)))
        async with port.client.get("/events") as response:
            said = await first_state(response)
        gate, yard = said["cameras"]
        assert (gate["name"], gate["status"], yard["name"], yard["status"]) == (
            "gate",
            "live",
            "yard",
            "waiting",
        )
        assert gate["latest"]["boxes"] == [["cup", 0.75, 1.0, 2.0, 11.0, 22.0]]
        assert yard["latest"] is None
        assert said["pictures"] is True
        assert said["state"] == "starting"

    run(check, lambda: PageRun(("gate", "yard")))


def test_a_picture_is_that_of_its_record():
    async def check(made, port):
        assert (await port.ask("/watch?camera=camera")).status == 204
        for _ in range(3):
            made.frame(answer=boxes((1.0, 2.0, 11.0, 22.0)))
        async with port.client.get("/events") as response:
            said = await first_state(response)
        picture = said["cameras"][0]["picture"]
        assert (picture["frame"], picture["part"], picture["size"]) == (2, [0, 0, 64, 48], [64, 48])
        answer = await port.ask(f"/snapshot/camera.jpg?frame={picture['frame']}")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "image/jpeg")
        assert answer.headers["X-Frame-Id"] == picture["frame_id"]
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        pixels = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR)
        assert pixels.shape == (48, 64, 3)
        assert abs(int(pixels.mean()) - 2) <= 1, "the picture of another frame"
        assert (await port.ask("/snapshot/camera.jpg?frame=99")).status == 404

    run(check)


def test_a_picture_without_a_number_waits_for_the_next_frame():
    async def check(made, port):
        asking = asyncio.create_task(port.ask("/snapshot/camera.jpg"))
        while not asking.done():
            made.frame()
            await asyncio.sleep(0.01)
        answer = await asking
        assert (answer.status, answer.headers["Content-Type"]) == (200, "image/jpeg")

    run(check)


def test_a_camera_without_frames_has_no_picture(monkeypatch):
    monkeypatch.setattr("edge.output.page.pictures._PATIENCE_S", 0.01)

    async def check(made, port):
        for camera in ("camera", "nobody", "..%2f..%2fetc"):
            answer = await port.ask(f"/snapshot/{camera}.jpg")
            assert answer.status == 503, camera
            assert answer.headers["Retry-After"]
        assert refusals(made, "unavailable") == 3

    run(check)


@pytest.mark.parametrize("frame", ["x", "-1", "1&frame=2", "9" * 30, ""])
def test_a_frame_that_is_no_number_is_refused(frame):
    async def check(made, port):
        assert (await port.ask(f"/snapshot/camera.jpg?frame={frame}")).status == 400
        assert refusals(made, "bad_request") == 1

    run(check)


def test_without_the_setting_no_picture_is_seen():
    async def check(made, port):
        assert made.page.look is None
        made.frame()
        for path in ("/watch?camera=camera", "/snapshot/camera.jpg"):
            answer = await port.ask(path)
            assert answer.status == 403, path
            assert b"--page-pictures" in answer.body
        async with port.client.get("/events") as response:
            said = await first_state(response)
        assert said["pictures"] is False
        assert said["cameras"][0]["picture"] is None

    run(check, lambda: PageRun(pictures=False))


def test_every_path_of_the_page_takes_the_right_to_it(tmp_path):
    tokens = Tokens(tmp_path / "tokens")
    gate = Gate(TokenFile(str(tokens.path)), frozenset(), Sessions())

    async def check(made, port):
        made.page.look  # noqa: B018 - there are pictures
        await port.ask("/watch?camera=camera", headers=bearing(tokens.of["page"]))
        made.frame()
        for path in PATHS:
            for right in (None, *Right):
                headers = bearing(tokens.of[right]) if right else {}
                async with port.client.get(path, headers=headers) as answer:
                    expected = {None: (401,), Right.PAGE: (200, 204)}.get(right, (403,))
                    assert answer.status in expected, (path, right)
                    assert ("WWW-Authenticate" in answer.headers) == (right is None)

    run(check, gate=gate)


def test_people_are_told_in_words_which_right_their_token_lacks(tmp_path):
    tokens = Tokens(tmp_path / "tokens")

    async def check(_, port):
        said = (await port.ask("/", headers=bearing(tokens.of[Right.METRICS]))).body.decode()
        assert "does not give the right page</p>" in said

    run(check, gate=Gate(TokenFile(str(tokens.path)), frozenset(), Sessions()))


def test_a_page_of_another_site_gets_nothing_but_a_link():
    async def check(made, port):
        for path in PATHS:
            for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
                async with port.client.get(path, headers=headers) as answer:
                    assert answer.status == (200 if path == "/" else 403), path
        assert refusals(made, "forbidden") == 6

    run(check)


def test_a_strangers_name_for_this_machine_shows_nothing_without_a_token():
    async def check(_, port):
        for path in PATHS:
            async with port.client.get(path, headers={"Host": "rebound.example"}) as answer:
                assert answer.status == 403, path
        assert (await port.ask("/healthz", headers={"Host": "rebound.example"})).status == 200

    run(check)


def test_a_token_that_ends_ends_the_stream(tmp_path):
    tokens = Tokens(tmp_path / "tokens")
    file = TokenFile(str(tokens.path))
    gate = Gate(file, frozenset(), Sessions())

    async def check(_, port):
        async with port.client.get("/events", headers=bearing(tokens.of["page"])) as response:
            found = events(response)
            await anext(found)
            tokens.remove(tokens.of["page"])
            while not file.refresh():
                pass
            names = [name async for name, _ in found]
        assert names[-1] == "over"

    run(check, gate=gate)


def test_the_old_paths_are_what_they_were_and_a_wrong_one_names_the_new_ones():
    async def check(_, port):
        assert (await port.ask("/metrics")).status == 200
        assert (await port.ask("/clouds")).body == b'{"clouds": []}'
        unknown = await port.ask("/page")
        assert unknown.status == 404
        assert b"/metrics, /clouds, /healthz, /readyz, /, /events, /snapshot/CAMERA.jpg" in unknown.body

    run(check)


def test_open_pages_are_counted():
    async def check(made, port):
        async with port.client.get("/events") as response:
            await first_state(response)
            assert made.metrics.registry.get_sample_value("splitdnn_edge_page_viewers") == 1
        async with asyncio.timeout(20):
            while made.metrics.registry.get_sample_value("splitdnn_edge_page_viewers"):
                await asyncio.sleep(0.01)

    run(check)
