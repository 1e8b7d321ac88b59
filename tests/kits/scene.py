"""A belt that carries coloured parts past a camera: pictures in which the small detector of colours finds each part, and nobody else."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import cv2
import numpy as np
from kits.sources import Camera

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from numpy.typing import NDArray

WIDTH, HEIGHT = 480, 360
_STEP = 5
"""Pixels from one picture to the next."""
_GAP = 160
_COLOURS = {"warm": (20, 110, 250), "green": (40, 190, 60), "bright": (252, 252, 252)}
"""BGR."""


def belt(number: int) -> NDArray[np.uint8]:
    """(360, 480, 3) uint8 BGR: picture number `number`, the same everywhere."""
    picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    picture[:] = np.linspace(70, 34, HEIGHT, dtype=np.uint8)[:, None, None]
    picture[110:290] = (52, 46, 42)
    for x in range(-(number * _STEP) % 40 - 40, WIDTH + 40, 40):  # the belt's ribs
        cv2.line(picture, (WIDTH - x, 110), (WIDTH - x, 290), (62, 56, 52), 2)
    cv2.rectangle(picture, (0, 98), (WIDTH, 110), (90, 84, 80), -1)
    cv2.rectangle(picture, (0, 290), (WIDTH, 302), (90, 84, 80), -1)
    span = 4 * _GAP
    for place, colour in enumerate(("warm", "green", "bright", "warm")):
        x = (place * _GAP + number * _STEP) % span - 80
        y = 200 + (-26, 18, 6, 24)[place]
        _part(picture, place, (x, y), _COLOURS[colour])
    return picture


def _part(
    picture: NDArray[np.uint8], kind: int, middle: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    x, y = middle
    cv2.ellipse(picture, (x + 4, y + 38), (40, 8), 0, 0, 360, (34, 30, 28), -1)
    if kind in (0, 3):
        cv2.circle(picture, middle, 38, colour, -1, cv2.LINE_AA)
    elif kind == 1:
        cv2.rectangle(picture, (x - 36, y - 36), (x + 36, y + 36), colour, -1)
    else:
        corners = [
            (x - 42, y),
            (x - 21, y - 38),
            (x + 21, y - 38),
            (x + 42, y),
            (x + 21, y + 38),
            (x - 21, y + 38),
        ]
        cv2.fillPoly(picture, [np.array(corners)], colour, cv2.LINE_AA)


class BeltCamera(Camera):
    """Shows the belt as MJPEG, about ten pictures a second, from its beginning for each reader; it can be switched off and on, or fall silent."""

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):  # the reader went away
            client.recv(4096)
            client.sendall(self.HEAD)
            number = 0
            while self.on:
                if self.silent:
                    time.sleep(0.01)
                    continue
                body = cv2.imencode(".jpg", belt(number), [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
                head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(body)
                client.sendall(head + body + b"\r\n")
                number += 1
                time.sleep(0.1)


@contextlib.contextmanager
def belt_camera() -> Iterator[BeltCamera]:
    camera = BeltCamera()
    try:
        yield camera
    finally:
        if camera.on:
            camera.switch_off()
