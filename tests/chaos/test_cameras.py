"""One of three cameras is killed, stalls or sends rubbish: the records of the others are complete and in order."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from kits import common as kit
from kits.chaos import FPS, paced, stop
from kits.sources import Camera

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from kits.chaos import Chaos

FRAMES = 300
CLIP = 60
READ_TIMEOUT_S = 1


class Faulty(Camera):
    """About 25 pictures a second, or what is no picture at all."""

    rubbish = False

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                client.recv(4096)
                client.sendall(self.HEAD)
                for index in range(100_000):
                    time.sleep(0.04)
                    if not self.on:
                        return
                    if self.silent:
                        continue
                    picture = np.full((48, 64, 3), index % 12 * 20, np.uint8)
                    body = os.urandom(5000) if self.rubbish else cv2.imencode(".jpg", picture)[1].tobytes()
                    head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(body)
                    client.sendall(head + body + b"\r\n")
            except OSError:
                return  # the reader went away


@pytest.mark.parametrize("fault", ["killed", "stalled", "rubbish"])
def test_what_happens_to_one_camera_is_not_the_others_business(
    chaos: Chaos, tmp_path: Path, fault: str
) -> None:
    victim = Faulty()
    file = tmp_path / "cameras.toml"
    sources = {"victim": victim.url, "steady": paced(FRAMES), "clip": paced(CLIP, 0)}
    file.write_text(
        "".join(f'[[camera]]\nname = "{name}"\nsource = "{source}"\n' for name, source in sources.items())
    )
    run = chaos.edge("", cameras=str(file), queue_size="600", read_timeout_s=str(READ_TIMEOUT_S))

    def of(camera: str) -> list[int]:
        return [record["frame"] for record in list(run.records) if record["camera"] == camera]

    try:
        kit.wait_for(lambda: len(of("victim")) > 10, f"frames of all cameras\n{run.said()}", 120)
        begun = len(of("steady"))
        if fault == "killed":
            victim.switch_off()
        victim.silent, victim.rubbish = fault == "stalled", fault == "rubbish"
        kit.wait_for(
            lambda: len(of("steady")) > begun + 2 * FPS, f"two seconds of the steady one\n{run.said()}", 120
        )
        before = len(of("victim"))
        victim.silent = victim.rubbish = False
        if not victim.on:
            victim.switch_on()
        kit.wait_for(lambda: len(of("victim")) > before + 10, f"the victim again\n{run.said()}", 120)
        kit.wait_for(lambda: len(of("steady")) == FRAMES, f"all of the steady one\n{run.said()}", 120)
        stop(run)
    finally:
        if victim.on:
            victim.switch_off()
    assert of("steady") == list(range(FRAMES))
    assert of("clip") == list(range(CLIP))
    assert of("victim") == sorted(of("victim"))
    assert "secret" not in run.said()
