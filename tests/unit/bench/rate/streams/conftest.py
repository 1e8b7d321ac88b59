"""A clip whose frames tell their number."""

import cv2
import numpy as np
import pytest

FRAMES = 40
RATE = 10


def number_of(picture):
    """The number of the frame that is shown."""
    return round(float(picture.mean()) / 5 - 2)


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "grey.avi", FRAMES)


@pytest.fixture(scope="session")
def clip_of():
    """Writes a clip of so many frames."""
    return write_clip


def write_clip(path, count):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), RATE, (64, 48))
    for number in range(count):
        writer.write(np.full((48, 64, 3), 10 + 5 * number, np.uint8))
    writer.release()
    return path


@pytest.fixture(scope="session")
def seen():
    """Tells the numbers of frames."""
    return lambda pictures: [number_of(picture) for picture in pictures]
