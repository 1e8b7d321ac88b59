"""What the tests of the cloud's endpoints share: the small network, a server of it, frames for it, and a quiet log."""

from __future__ import annotations

import gc
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from kits.cloud import Server
from kits.codecs import frame_of
from kits.gain import Gained, gain_profile

from cloud.profiles import Profiles
from shared.codecs import CODECS, NAMES
from shared.codecs.calibrated.codec import Calibrated
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.codecs.calibrated.profile import Profile
    from shared.network.model import Model
    from shared.network.partition import Partition


@pytest.fixture(autouse=True)
def _quiet(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A warning or an error in the log fails the test, unless it asked for `expect_log`."""
    yield
    if "expect_log" not in request.fixturenames:
        assert not [r.getMessage() for r in caplog.get_records("call") if r.levelno >= logging.WARNING]


@pytest.fixture
def expect_log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    return caplog


@pytest.fixture(scope="module", autouse=True)
def _loaded(resnet18: Model, partition: Partition) -> Iterator[None]:
    """Every server takes the network that is loaded already, and need not look for its split points again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.load.load_model", lambda *_arguments, **_options: resnet18)
        patch.setattr("shared.load.Partition", lambda *_arguments: partition)
        gc.freeze()  # the collection at each server's end then looks at that server's objects only
        yield
        gc.unfreeze()


@pytest.fixture(scope="module")
def server(_loaded: None) -> Iterator[Server]:
    """For tests that leave it as it was."""
    with Server() as running:
        yield running


@pytest.fixture(scope="module")
def crossing(resnet18: Model, partition: Partition) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """What crosses at a split point for `count` pictures, and the logits of the unsplit network."""

    def make(name: str, count: int = 1) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng(count)
        values = (random.normal(size=(count, 3, 224, 224)) * 16).round() / 16  # short in JSON
        pictures = torch.from_numpy(values.astype(np.float32))
        with torch.inference_mode():
            tensors = partition.head(partition.point(name))(pictures).numpy()
            return tensors, resnet18.network(pictures).numpy()

    return make


@pytest.fixture(scope="module")
def pack(resnet18: Model) -> Callable[..., bytes]:
    """A frame of this network, at `flatten` unless told otherwise."""

    def make(array: np.ndarray | None = None, codec: str = "float32", **changes: Any) -> bytes:
        array = np.linspace(-1, 1, 512, dtype=np.float32) if array is None else array
        fields = {"split_point": "flatten", "fingerprint": resnet18.fingerprint, "deadline_ms": 0} | changes
        return wire.pack(frame_of(NAMES[codec], array, **fields))

    return make


# --- profiles ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def gained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the id of the codec `calibrated` is a codec of one number, whose profiles cost nothing to make."""
    monkeypatch.setitem(CODECS, Calibrated.id, Calibrated())
    monkeypatch.setattr("cloud.service.Profiles", partial(Profiles, Gained))


@pytest.fixture
def fresh(gained: None) -> Iterator[Server]:
    """A server without profiles."""
    with Server() as running:
        yield running


@pytest.fixture
def make(resnet18: Model) -> Callable[..., Profile]:
    """A profile for what crosses at `flatten`."""
    return partial(gain_profile, resnet18.fingerprint, "flatten", (512,))


@pytest.fixture
def framed(resnet18: Model) -> Callable[..., bytes]:
    """A packed frame whose codec has this profile."""

    def framed(profile: Profile, **changes: Any) -> bytes:
        array = np.linspace(-1, 1, 512, dtype=np.float32)
        fields = {"split_point": "flatten", "fingerprint": resnet18.fingerprint, "deadline_ms": 0} | changes
        return wire.pack(frame_of(Gained(profile), array, **fields))

    return framed
