"""A server that runs a bundle's folder, which a test replaces."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kits.cloud import WAIT_S, Server
from kits.codecs import frame_of
from kits.numpy_network import network_of, write_bundle

from shared.codecs import NAMES
from shared.network.bundle import read_bundle
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from kits.cloud import Response

    from shared.network.bundle import Bundle


class Followed(Server):
    """Looks at its folder when the test says so, as well as every two seconds."""

    def __init__(self, path: Path, **settings: Any) -> None:
        super().__init__(model=str(path), weights="auto", **settings)
        self.path = path

    def look(self) -> None:
        """Take what the folder holds."""
        assert self.service.watch
        for _ in range(2):
            asyncio.run_coroutine_threadsafe(self.service.watch.look(), self.loop).result(WAIT_S)

    def replace(self, fingerprint: bytes, **changes: Any) -> Bundle:
        """Put another bundle in the folder's place, as `splitdnn bundle` does, and have it taken."""
        previous = self.path.with_name("previous")
        shutil.rmtree(previous, ignore_errors=True)
        self.path.rename(previous)
        bundle = write_bundle(self.path, fingerprint, **changes)
        self.look()
        return bundle

    def ask_frame(self, fingerprint: bytes, array: np.ndarray, split_point: str = "flatten") -> Response:
        """The answer to a frame of the network of this fingerprint."""
        frame = frame_of(
            NAMES["float32"], array, split_point=split_point, fingerprint=fingerprint, deadline_ms=0
        )
        return self.frame(wire.pack(frame), "?top=3")


@contextmanager
def followed(
    path: Path, fingerprint: bytes, *, bundle: dict[str, Any] | None = None, **settings: Any
) -> Iterator[Followed]:
    """A server of the bundle in `path`, which is written first."""
    write_bundle(path, fingerprint, **(bundle or {}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "cloud.networks.network.load_network",
            lambda chosen, *_, **__: network_of(read_bundle(Path(chosen.model))),
        )
        with Followed(path, **settings) as server:
            yield server
