"""Where the edge's network comes from, and how it shows that there is another one: the cloud, a bundle's folder, or neither."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Protocol

from shared.errors import ModelError
from shared.limits import FINGERPRINT_BYTES
from shared.network.bundle import float_of
from shared.network.manifest import MANIFEST, read_manifest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from edge.frames.way import Edition
    from edge.network.cloud_bundles import CloudBundles
    from edge.uplink.clouds.agreed import Agreed
    from edge.uplink.clouds.clouds import Clouds
    from edge.uplink.clouds.heard import Heard
    from edge.uplink.line import Line
    from shared.network.manifest import Manifest

_log = logging.getLogger(__name__)

LOOK_S = 2.0
"""Between two looks at a bundle's folder."""
ASK_S = 10.0
"""Between two questions for the cloud's network, where its replies do not tell: nothing is sent, or it is older."""
_FINGERPRINT_DIGITS = 2 * FINGERPRINT_BYTES
_LOOKS_TO_AGREE = 15
"""Both sides may look at one folder. Only after so many looks is a difference more than one side's being quicker."""


class Origin(Protocol):
    """Tells of other networks."""

    async def changed(self, current: Edition) -> str:
        """Wait until there is another network than the current one; what `bring` is to be given."""

    async def bring(self, wanted: str, /) -> str:
        """What `load_network` is to be given as its model, for that network. Raises FetchError."""

    def bring_float(self, int8: Manifest, /) -> Path | None:
        """For `load_network`, and so called on its thread: the float32 bundle of an int8 one that does not serve here. Raises FetchError."""


class FromCloud:
    """`--model cloud`: follows what the cloud names in its replies."""

    def __init__(self, bundles: CloudBundles, line: Line | Clouds) -> None:
        self._bundles = bundles
        self._line = line
        self._loop = asyncio.get_running_loop()
        self._stands_for: dict[str, str] = {}
        """By the fingerprint of a float32 network that runs here, that of the cloud's int8 one."""

    async def changed(self, current: Edition) -> str:
        own = current.model.fingerprint.hex()
        fingerprint = self._stands_for.get(own, own)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ASK_S):
                    return await self._line.heard.other_than(fingerprint)
            with contextlib.suppress(
                Exception
            ):  # a cloud that is away, or no SplitDNN cloud: whatever frames meet as well
                await self._line.ask_model()

    async def bring(self, wanted: str) -> str:
        self._stands_for.pop(wanted, None)  # the cloud runs it as well
        return str(await self._bundles.bring(wanted))

    def bring_float(self, int8: Manifest) -> Path | None:
        if int8.int8 is None:
            return None
        wanted = int8.int8.float_fingerprint
        _log.warning(
            "the cloud's network is int8 and answers otherwise on this processor; its float32 network is to run here"
        )
        folder = asyncio.run_coroutine_threadsafe(self._bundles.insist(wanted), self._loop).result()
        self._stands_for[wanted] = int8.fingerprint
        return folder


class FromFolder:
    """`--model FOLDER`: follows the folder's bundle.json, and for an int8 bundle a cloud that runs its float32 network instead."""

    def __init__(
        self, folder: Path, heard: Heard | Agreed, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._folder = folder
        self._heard = heard
        self._difference = Difference(heard)
        self._sleep = sleep

    async def changed(self, current: Edition) -> str:
        looks = 0
        while True:
            await self._sleep(LOOK_S)
            digest, in_float = await asyncio.to_thread(self._look)
            if in_float and self._heard.fingerprint == in_float:
                if current.model.fingerprint.hex() != in_float:
                    return in_float
            elif digest not in (None, current.digest):
                return digest
            looks = looks + 1 if self._difference.exists(current) else 0
            if looks >= _LOOKS_TO_AGREE:
                self._difference.tell(current)

    async def bring(self, wanted: str) -> str:
        folder = self._folder if len(wanted) > _FINGERPRINT_DIGITS else float_of(self._folder)
        return str(folder)

    def bring_float(self, int8: Manifest) -> Path | None:
        del int8  # it would lie beside
        return None

    def _look(self) -> tuple[str | None, str | None]:
        """What the manifest states of itself, None while it is being replaced; and the fingerprint of an int8 bundle's float32 network."""
        try:
            manifest = read_manifest(self._folder / MANIFEST)
        except ModelError:
            return None, None
        return manifest.digest, manifest.int8.float_fingerprint if manifest.int8 else None


class Fixed:
    """Any other `--model`: the network stays, and that the cloud's is another one is said."""

    def __init__(self, heard: Heard | Agreed) -> None:
        self._heard = heard
        self._difference = Difference(heard)

    async def changed(self, current: Edition) -> str:
        own = current.model.fingerprint.hex()
        while True:
            other = await self._heard.other_than(own)
            self._difference.tell(current)
            await self._heard.other_than(other)

    async def bring(self, _wanted: str) -> str:
        raise NotImplementedError  # `changed` never ends

    def bring_float(self, int8: Manifest) -> Path | None:
        del int8  # only a bundle is one
        return None


class Difference:
    """That the cloud's network is another one, which is said once for each."""

    def __init__(self, heard: Heard | Agreed) -> None:
        self._heard = heard
        self._told: set[str] = set()

    def exists(self, current: Edition) -> bool:
        """Whether the cloud has named another network."""
        return self._heard.is_other_than(current.model.fingerprint.hex())

    def tell(self, current: Edition) -> None:
        """Say it, unless it was said of this network already."""
        fingerprint = self._heard.fingerprint
        if not self.exists(current) or fingerprint is None or fingerprint in self._told:
            return
        if len(self._told) < _MAX_TOLD:
            self._told.add(fingerprint)
            _log.warning(
                "the cloud now runs another network (fingerprint %s) than this edge (%s), which goes on with its own, and answers by "
                "itself once the cloud does not serve that any more; give the edge the cloud's bundle, or --model cloud",
                fingerprint,
                current.model.fingerprint.hex(),
            )


_MAX_TOLD = 100
"""Networks; a cloud that names others all the time does not fill the log."""
