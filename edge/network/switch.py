"""Makes editions of the network, and exchanges the one in force while frames flow."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import weakref
from typing import TYPE_CHECKING

from edge.frames.preprocess import Preprocess
from edge.frames.way import Edition, Editions
from edge.network.loading import heads_at_once, load
from edge.planning.pilot import make_pilot
from edge.planning.plan_metrics import PlanMetrics
from edge.uplink.clouds.opening import make_uplink
from shared.errors import MismatchError
from shared.network.choice import CLOUD
from shared.process.memory import give_back
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from concurrent.futures import Executor, Future

    from edge.cameras.settings import CameraSettings
    from edge.config import EdgeSettings
    from edge.frames.way import Pilot
    from edge.metrics import EdgeMetrics
    from edge.network.loading import EngineChoice, Loaded
    from edge.planning.pace import Pace
    from edge.uplink.clouds.clouds import Clouds
    from edge.uplink.clouds.uplinks import Uplinks
    from edge.uplink.line import Line
    from edge.uplink.uplink import Uplink

_log = logging.getLogger(__name__)


class Switch:
    """Loads networks on a thread, one at a time, and puts them into force. Used on the event loop."""

    def __init__(
        self,
        settings: EdgeSettings,
        cameras: Sequence[CameraSettings],
        threads: int,
        metrics: EdgeMetrics,
        line: Line | Clouds,
        slow: Executor,
        *,
        pace: Pace,
        load: Callable[..., Loaded] = load,
    ) -> None:
        """`slow` runs what takes long; `line`, to one cloud or several, must be open; `pace` as for PlannedPilot."""
        self._settings = settings
        self._cameras = cameras
        self._threads = threads
        self._metrics = metrics
        self._line = line
        self._slow = slow
        self._pace = pace
        self._load_network = load
        self._uplink: Uplink | Uplinks | None = None
        self._engine: EngineChoice | None = None
        self._earlier: Uplink | Uplinks | None = None
        """Its last frames may be under way."""
        self.editions: Editions
        """There once `open` has returned."""

    async def open(self, model: str, begun: Future[Loaded] | None = None) -> Loaded:
        """Put the first edition into force, of the network that `model` names; `begun` loads it already. Raises StartupError."""
        loaded = await (asyncio.wrap_future(begun) if begun else self._load(model, None))
        try:
            self._uplink = await self._greeted(loaded, hurry=True)
        except MismatchError as error:
            loaded = await self._as_the_cloud(loaded, error)
            self._uplink = await self._greeted(loaded, hurry=True)
        self.editions = Editions(self._in_force(loaded, self._uplink))
        return loaded

    async def take(self, model: str) -> None:
        """Load the network that `model` names beside the frames, then put it into force: it is that of the next frame.

        Raises StartupError, SplitPointError or UplinkError; nothing has changed then.
        """
        loaded = await self._load(model, self._engine)
        uplink = await self._greeted(loaded)
        old, before, closing = self.editions.any, self._uplink, self._earlier
        olds = set(self.editions.current.values())
        # Until the new editions are in force nothing is awaited: old and new never are together.
        for each in olds:
            each.pilot.retire()
        if before:
            before.retire()
        self.editions.current = self._in_force(loaded, uplink)
        self._uplink, self._earlier = uplink, before
        _log.info(
            "%s, weights %s, fingerprint %s answers from the next frame on, in place of %s",
            loaded.model.name, loaded.model.weights, loaded.model.fingerprint.hex(), old.model.fingerprint.hex(),
        )  # fmt: skip
        # Once its last frame is answered.
        for each in olds:
            weakref.finalize(each, _give_back, self._slow).atexit = False
        if closing:
            await closing.close()

    async def _as_the_cloud(self, loaded: Loaded, error: MismatchError) -> Loaded:
        """The float32 network, if the cloud runs that in place of the int8 one, as it must on some processors; else raises `error`."""
        fingerprint, folder = loaded.float_network or ("", None)
        if folder is None or self._line.heard.fingerprint != fingerprint:
            raise error
        _log.warning(
            "the cloud runs the float32 network in place of this int8 one, and so does this edge, from %s",
            folder,
        )
        return await self._load(str(folder), None)

    async def close(self) -> None:
        """End what goes on beside the frames."""
        for uplink in (self._uplink, self._earlier):
            if uplink:
                await uplink.close()

    async def _load(self, model: str, before: EngineChoice | None) -> Loaded:
        settings = self._settings.model_copy(update={"model": model})
        return await asyncio.get_running_loop().run_in_executor(
            self._slow,
            lambda: self._load_network(settings, self._cameras, self._threads, self._metrics, before=before),
        )

    async def _greeted(self, loaded: Loaded, *, hurry: bool = False) -> Uplink | Uplinks:
        """The way to the cloud, or to several, for this network; if its frames are to travel, both sides are compared first.

        `hurry`: the first frame waits for that.
        """
        plans = [plan for each in loaded.plans.values() for plan in each]
        thresholds = [camera.threshold for camera in self._cameras] or [self._settings.threshold]
        threshold = self._settings.threshold
        # What some camera is going to ask, as a session is opened for it at once.
        wanted = Wanted(self._settings.top, threshold if threshold in thresholds else thresholds[0])
        uplink = make_uplink(
            self._line,
            loaded.model,
            make_task(loaded.model, wanted),
            self._metrics,
            wanted=wanted,
            profiles=[plan.profile for plan in plans if plan.profile],
            wait_for_profiles=all(len(each) == 1 for each in loaded.plans.values()),
            follows=self._settings.model == CLOUD,
        )
        try:
            if any(plan.codec for plan in plans):
                await uplink.check(hurry=hurry)
        except BaseException:
            await uplink.close()
            raise
        return uplink

    def _in_force(self, loaded: Loaded, uplink: Uplink | Uplinks) -> dict[str, Edition]:
        """The edition of each camera; cameras whose settings ask for the same share one, and those with the same aims a pilot."""
        pilots = {}
        under_way = self._settings.in_flight + len(self._cameras) - 1
        at_once = {
            "in_flight": under_way,
            "head_workers": heads_at_once(self._settings, self._threads),
        }
        settings = self._settings.model_copy(update=at_once)
        for aims in dict.fromkeys(camera.aims for camera in self._cameras):
            led = PlanMetrics(self._metrics, [each.name for each in self._cameras if each.aims == aims])
            plans = loaded.plans[aims.choice]
            pilots[aims] = make_pilot(settings, plans, uplink, led, pace=self._pace, aims=aims)
        uplink.take_over()
        loaded.export_build_info(self._metrics)
        self._engine = loaded.engine
        made: dict[Hashable, Edition] = {}
        found = {}
        for camera in self._cameras:
            key = camera.aims, camera.threshold, camera.grayscale, camera.picture_size
            if key not in made:
                made[key] = self._edition(loaded, uplink, camera, pilots[camera.aims])
            found[camera.name] = made[key]
        return found

    def _edition(
        self, loaded: Loaded, uplink: Uplink | Uplinks, camera: CameraSettings, pilot: Pilot
    ) -> Edition:
        wanted = Wanted(self._settings.top, camera.threshold)
        task = make_task(loaded.model, wanted)
        preprocess = Preprocess(
            loaded.model.recipe,
            grayscale=camera.grayscale,
            source_size=camera.picture_size == "source" and loaded.sends_pictures(camera.choice),
        )
        cloud = uplink.asking(wanted, task, camera.deadline_s)
        return Edition(loaded.model, task, preprocess, pilot, cloud, loaded.digest, cloud)


def _give_back(slow: Executor) -> None:
    with contextlib.suppress(RuntimeError):  # the run has ended
        slow.submit(give_back)
