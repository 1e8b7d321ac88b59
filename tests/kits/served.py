"""What the tests of the cloud's endpoints share: the small network, a server of it, frames for it, and a quiet log."""

from __future__ import annotations

import gc
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.cloud import Server
from kits.codecs import frame_of
from kits.gain import Gained, gain_profile
from kits.numpy_network import network_of

from cloud.profiles.store import Profiles
from shared.codecs import CODECS, NAMES
from shared.codecs.calibrated.codec import Calibrated
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.codecs.calibrated.profile import Profile
    from shared.engines.load import Network
    from shared.network.bundle import Bundle
    from shared.network.model import Model


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
def _loaded(bundle: Bundle) -> Iterator[None]:
    """Every server runs the small network, whatever its settings name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cloud.networks.network.load_network", lambda *_, **__: network_of(bundle))
        gc.freeze()  # the collection at each server's end then looks at that server's objects only
        yield
        gc.unfreeze()


@pytest.fixture(scope="module")
def server(_loaded: None) -> Iterator[Server]:
    """For tests that leave it as it was."""
    with Server() as running:
        yield running


@pytest.fixture(scope="module")
def crossing(network: Network) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """What crosses at a split point for `count` pictures, short in JSON, and the logits that belong to it."""

    def make(name: str, count: int = 1) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng(count)
        pictures = random.normal(size=(count, 3, 224, 224)).astype(np.float32)
        point = network.partition.point(name)
        (tensors,) = network.engine.head(point)((pictures,))
        tensors = tensors.round(3)
        (logits,) = network.engine.tail(point)((tensors,))
        return tensors, logits

    return make


@pytest.fixture(scope="module")
def pack(model: Model) -> Callable[..., bytes]:
    """A frame of this network, at `flatten` unless told otherwise."""

    def make(array: np.ndarray | None = None, codec: str = "float32", **changes: Any) -> bytes:
        array = np.linspace(-1, 1, 512, dtype=np.float32) if array is None else array
        fields = {"split_point": "flatten", "fingerprint": model.fingerprint, "deadline_ms": 0} | changes
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
def make(model: Model) -> Callable[..., Profile]:
    """A profile for what crosses at `flatten`."""
    return partial(gain_profile, model.fingerprint, "flatten", (512,))


@pytest.fixture
def framed(model: Model) -> Callable[..., bytes]:
    """A packed frame whose codec has this profile."""

    def framed(profile: Profile, **changes: Any) -> bytes:
        array = np.linspace(-1, 1, 512, dtype=np.float32)
        fields = {"split_point": "flatten", "fingerprint": model.fingerprint, "deadline_ms": 0} | changes
        return wire.pack(frame_of(Gained(profile), array, **fields))

    return framed
