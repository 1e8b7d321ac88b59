"""Makes editions of the network, and exchanges the one in force while frames flow."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import weakref
from typing import TYPE_CHECKING

from edge.frames.preprocess import Preprocess
from edge.frames.way import Edition, Editions
from edge.network.loading import load
from edge.planning.pilot import make_pilot
from edge.uplink.uplink import Uplink
from shared.network.choice import CLOUD
from shared.process.memory import give_back
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future

    from edge.config import EdgeSettings
    from edge.metrics import EdgeMetrics
    from edge.network.loading import EngineChoice, Loaded
    from edge.uplink.line import Line
    from shared.tasks.base import Task

_log = logging.getLogger(__name__)


class Switch:
    """Loads networks on a thread, one at a time, and puts them into force. Used on the event loop."""

    def __init__(
        self,
        settings: EdgeSettings,
        threads: int,
        metrics: EdgeMetrics,
        line: Line,
        slow: Executor,
        *,
        live: bool,
        load: Callable[..., Loaded] = load,
    ) -> None:
        """`slow` runs what takes long; `line` must be open; `live` as for PlannedPilot."""
        self._settings = settings
        self._wanted = Wanted(settings.top, settings.threshold)
        self._threads = threads
        self._metrics = metrics
        self._line = line
        self._slow = slow
        self._live = live
        self._load_network = load
        self._uplink: Uplink | None = None
        self._engine: EngineChoice | None = None
        self._earlier: Uplink | None = None
        """Its last frames may be under way."""
        self.editions: Editions
        """There once `open` has returned."""

    async def open(self, model: str, begun: Future[Loaded] | None = None) -> Loaded:
        """Put the first edition into force, of the network that `model` names; `begun` loads it already. Raises StartupError."""
        loaded = await (asyncio.wrap_future(begun) if begun else self._load(model, None))
        task = make_task(loaded.model, self._wanted)
        self._uplink = await self._greeted(loaded, task)
        self.editions = Editions(self._edition(loaded, task, self._uplink))
        return loaded

    async def take(self, model: str) -> None:
        """Load the network that `model` names beside the frames, then put it into force: it is that of the next frame.

        Raises StartupError, SplitPointError or UplinkError; nothing has changed then.
        """
        loaded = await self._load(model, self._engine)
        task = make_task(loaded.model, self._wanted)
        uplink = await self._greeted(loaded, task)
        old, before, closing = self.editions.current, self._uplink, self._earlier
        # Until the new edition is in force nothing is awaited: the two never are together.
        old.pilot.retire()
        if before:
            before.retire()
        self.editions.current = self._edition(loaded, task, uplink)
        self._uplink, self._earlier = uplink, before
        _log.info(
            "%s, weights %s, fingerprint %s answers from the next frame on, in place of %s",
            loaded.model.name, loaded.model.weights, loaded.model.fingerprint.hex(), old.model.fingerprint.hex(),
        )  # fmt: skip
        # Once its last frame is answered.
        weakref.finalize(old, _give_back, self._slow).atexit = False
        if closing:
            await closing.close()

    async def close(self) -> None:
        """End what goes on beside the frames."""
        for uplink in (self._uplink, self._earlier):
            if uplink:
                await uplink.close()

    async def _load(self, model: str, before: EngineChoice | None) -> Loaded:
        settings = self._settings.model_copy(update={"model": model})
        return await asyncio.get_running_loop().run_in_executor(
            self._slow,
            lambda: self._load_network(settings, self._threads, self._metrics, before=before),
        )

    async def _greeted(self, loaded: Loaded, task: Task) -> Uplink:
        """The way to the cloud for this network; if its frames are to travel, both sides are compared first."""
        plans = loaded.plans
        uplink = Uplink(
            self._line,
            loaded.model,
            task,
            self._metrics,
            wanted=self._wanted,
            profiles=[plan.profile for plan in plans if plan.profile],
            wait_for_profiles=len(plans) == 1,
            follows=self._settings.model == CLOUD,
        )
        try:
            if any(plan.codec for plan in plans):
                await uplink.check()
        except BaseException:
            await uplink.close()
            raise
        return uplink

    def _edition(self, loaded: Loaded, task: Task, uplink: Uplink) -> Edition:
        pilot = make_pilot(self._settings, loaded.plans, uplink, self._metrics, live=self._live)
        self._line.probe_with(uplink.greet)
        loaded.export_build_info(self._metrics)
        self._engine = loaded.engine
        preprocess = Preprocess(
            loaded.model.recipe,
            grayscale=self._settings.grayscale,
            source_size=self._settings.picture_size == "source" and loaded.sends_pictures,
        )
        return Edition(loaded.model, task, preprocess, pilot, uplink, loaded.digest)


def _give_back(slow: Executor) -> None:
    with contextlib.suppress(RuntimeError):  # the run has ended
        slow.submit(give_back)
