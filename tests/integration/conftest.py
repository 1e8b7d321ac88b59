"""One system for all scenarios: starting it is most of their time."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest
from kits import common as kit
from kits import deployments

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_report_header() -> str:
    return f"integration: {'Docker Compose' if deployments.docker_answers() else 'local processes (no Docker engine answers)'}"


@pytest.fixture(scope="session")
def weights() -> str:
    """Real ones where they are, seeded random ones elsewhere."""
    return str(kit.RESNET50) if kit.RESNET50.is_file() else "random"


@pytest.fixture(scope="session")
def system(weights: str) -> Iterator[deployments.Deployment]:
    # In float32 every class is the reference's; shorter precisions have a test of their own.
    with deployments.deployment(model="resnet50", weights=weights, precision="float32") as deployment:
        yield deployment


@pytest.fixture(scope="session")
def reference(weights: str):
    """The unsplit network in torch: what every answer is compared with."""
    from shared.network.choice import NetworkChoice
    from shared.torch_network.source import build

    return build(NetworkChoice("resnet50", weights))


@pytest.fixture(scope="session")
def unsplit_top1(reference):
    """Top class of each of the clip's first frames, from the unsplit network in this process."""
    import cv2
    import numpy as np
    import torch

    from edge.frames.preprocess import Preprocess

    preprocess = Preprocess(reference.recipe)

    @cache
    def top1(count: int) -> list[int]:
        capture = cv2.VideoCapture(str(kit.CLIP))
        classes: list[int] = []
        while len(classes) < count:
            pictures = []
            while len(pictures) < min(16, count - len(classes)):
                there, frame = capture.read()
                assert there
                pictures.append(reference.recipe.normalise(preprocess(frame)))
            with torch.inference_mode():
                classes += reference.module(torch.from_numpy(np.stack(pictures))).argmax(1).tolist()
        return classes

    return top1
