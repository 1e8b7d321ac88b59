"""The way to the cloud: one keep-alive HTTP client, several requests under way."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Self

from edge.uplink.circuit import Circuit, State
from edge.uplink.client import BrokenError, CloudClient
from edge.uplink.cloud_times import CloudTimes, parse_cloud_times
from edge.uplink.link import Link
from edge.uplink.profile_uploads import ProfileUploads
from edge.uplink.reply import Reply, UplinkError, parse_json, read_reply
from shared.errors import MismatchError
from shared.wire.http import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edge.metrics import EdgeMetrics
    from edge.uplink.profile_upload import ProfileUpload
    from shared.codecs.calibrated.profile import Profile
    from shared.network.model import ModelInfo

_log = logging.getLogger(__name__)

_PROBE_TIMEOUT_S = 1.0
_PROBE_PERIOD_S = 0.1
_DEADLINE_SHARE = 0.9
"""Of a deadline: a frame that waited so long tells that the link, or the cloud, was too slow for it."""
_MEASURING_S = 60.0
"""The first one to ask for the cloud's times waits until they are measured."""


class Uplink:
    """Asks the cloud, within a deadline, unless the circuit is open."""

    def __init__(
        self,
        url: str,
        model: ModelInfo,
        metrics: EdgeMetrics,
        *,
        in_flight: int,
        deadline_s: float,
        profiles: Iterable[Profile] = (),
        wait_for_profiles: bool = True,
    ) -> None:
        """`profiles` are those of the codecs: the cloud is brought each of them whenever it has it not.

        `wait_for_profiles`: whether `check` ends only then.
        """
        # One connection more for the probe.
        self._client = CloudClient(url, metrics.uplink_bytes, connections=in_flight + 1)
        self._model = model
        self._metrics = metrics
        self._deadline_s = deadline_s
        self._uploads = ProfileUploads(
            profiles, self._put, metrics.profile_uploads, wait=wait_for_profiles, patience_s=deadline_s
        )
        self.can_decode = self._uploads.has
        self._waiting: set[asyncio.Timeout] = set()
        self.circuit = Circuit(metrics.circuit_state, time.monotonic, opened=self._release)
        self.link = Link(time.monotonic)
        self.on_greeting: Callable[[], object] = lambda: None
        """Called whenever the cloud was found to be there, and the right one."""

    async def __aenter__(self) -> Self:
        self._client.open()
        self._prober = asyncio.create_task(self._probe())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._prober.cancel()
        await asyncio.gather(self._prober, return_exceptions=True)
        await self._uploads.close()
        await self._client.close()

    async def ask(self, frame: bytes, top: int, profile: Profile | None = None) -> Reply:
        """Send one frame and wait for its classes, at most the deadline. Raises UplinkError.

        `profile`, one of those given at the start, is what the cloud decodes the frame with.
        """
        upload, start = self._uploads.of(profile), time.monotonic()
        if upload:
            upload.require_hope()
        if not self.circuit.allows():
            raise UplinkError("circuit_open", "the circuit is open")
        era = self.circuit.era
        try:
            with self._metrics.in_flight.track_inprogress():
                reply = await self._ask_in_time(frame, top, upload)
        except UplinkError as error:
            if upload and error.reason == "late" and upload.took_time_since(start):
                error.reason = "profile"  # which took this frame's time; the cloud is not to blame
            if error.reason in ("profile", "circuit_open"):
                self.circuit.released(era)  # the cloud answers, and no cool-down would mend this
            else:
                self.circuit.failed(
                    f"{error.reason}: {error}", era, start if error.reason == "late" else None
                )
            raise
        except BaseException:
            self.circuit.released(era)
            raise
        self.circuit.succeeded()
        return reply

    async def check(self) -> None:
        """Compare both sides once, before the first frame, and bring the profile if there is one.

        Raises MismatchError if the cloud runs something else. A cloud that is away is no error: the circuit opens and
        the edge answers until it is there.
        """
        try:
            await self._greet()
        except UplinkError as error:
            self.circuit.open(f"no cloud at {self._client.url} ({error})")

    async def _ask_in_time(self, frame: bytes, top: int, upload: ProfileUpload | None) -> Reply:
        """Within the deadline, or until the circuit opens: whoever waits then would wait in vain."""
        try:
            async with asyncio.timeout(self._deadline_s) as waiting:
                self._waiting.add(waiting)
                try:
                    return await self._ask(frame, top, upload)
                finally:
                    self._waiting.discard(waiting)
        except TimeoutError:
            if self.circuit.state is State.OPEN:
                raise UplinkError("circuit_open", "the circuit opened meanwhile") from None
            raise UplinkError("late", f"no answer within {self._deadline_s:.3g} s") from None

    def _release(self) -> None:
        """The circuit opened."""
        for waiting in self._waiting:
            if not waiting.expired():
                waiting.reschedule(asyncio.get_running_loop().time())

    async def _ask(self, frame: bytes, top: int, upload: ProfileUpload | None) -> Reply:
        """Where the cloud misses the codec's profile: bring it, and send the frame once more."""
        if upload is None:
            return await self._post(frame, top)
        await upload.ready()
        taken = upload.taken
        try:
            return await self._post(frame, top)
        except UplinkError as error:
            if error.reason != "profile":
                raise
        if upload.taken == taken:
            await upload.bring(self._deadline_s)
        return await self._post(frame, top)

    async def _post(self, frame: bytes, top: int) -> Reply:
        """Where a connection breaks before there is an answer, the frame is sent once more: it may be answered twice."""
        try:
            return await self._post_once(frame, top)
        except BrokenError as error:
            _log.debug("sending a frame once more: %s", error)
            self._metrics.retries.inc()
            return await self._post_once(frame, top)

    async def _post_once(self, frame: bytes, top: int) -> Reply:
        number, start = self.link.sent(len(frame)), time.perf_counter()
        connection: dict[str, bool] = {}
        try:
            status, body = await self._client.request(
                "POST", f"/model?top={top}", 2 * self._deadline_s, connection,
                data=frame, headers={"Content-Type": CONTENT_TYPE},
            )  # fmt: skip
            reply = read_reply(status, body)
        except asyncio.CancelledError:
            self.link.gave_up(
                number, at_deadline=time.perf_counter() - start >= _DEADLINE_SHARE * self._deadline_s
            )
            raise
        except BaseException:
            self.link.gave_up(number)
            raise
        receive_s = reply.stages_ms.get("receive", 0.0) / 1e3
        computing_s = sum(reply.stages_ms.values()) / 1e3 - receive_s
        self.link.answered(
            number, receive_s=receive_s, computing_s=computing_s, fresh=connection.get("fresh", False),
            received=reply.received,
        )  # fmt: skip
        self._export(len(frame), time.perf_counter() - start - computing_s, reply)
        return reply

    def _export(self, size: int, on_the_way_s: float, reply: Reply) -> None:
        metrics, state = self._metrics, self.link.state
        if on_the_way_s > 0:
            metrics.uplink_throughput.set(size / on_the_way_s)
        metrics.link_throughput.set(state.bytes_per_s)
        metrics.link_round_trip.set(state.round_trip_s)
        metrics.cloud_queue_wait.set(reply.stages_ms.get("queue", 0.0) / 1e3)

    async def _put(self, path: str, data: bytes, patience_s: float) -> tuple[int, bytes]:
        return await self._client.request("PUT", path, patience_s, data=data)

    async def _probe(self) -> None:
        """While the circuit is open, find out when the cloud is back; no frame pays for it."""
        told = ""
        while True:
            await asyncio.sleep(_PROBE_PERIOD_S)
            if self.circuit.wants_probe():
                try:
                    await self._greet()
                # Nothing will mend this by itself, so somebody must be told, once.
                except MismatchError as error:
                    if str(error) != told:
                        _log.warning("%s", error)
                    told = str(error)
                    self.circuit.probe_answered(well=False)
                except Exception as error:  # noqa: BLE001 - without a prober the circuit would stay open for ever
                    _log.debug("probe: %s", error or type(error).__name__)
                    self.circuit.probe_answered(well=False)
                else:
                    told = ""
                    self.circuit.probe_answered(well=True)

    async def _greet(self) -> None:
        await self._uploads.greet(await self._compare())
        self.on_greeting()

    async def cloud_times(self) -> CloudTimes | None:
        """What `GET /profile` says; None if the cloud does not say it. Raises UplinkError."""
        status, body = await self._client.request("GET", "/profile", _MEASURING_S)
        return parse_cloud_times(parse_json(body), self._model.fingerprint) if status == 200 else None

    async def _compare(self) -> dict[str, Any]:
        status, body = await self._client.request("GET", "/model", min(_PROBE_TIMEOUT_S, self._deadline_s))
        if status == 503:
            raise UplinkError("busy", "it is starting or stopping")
        if status >= 500:  # a proxy's, while the cloud behind it is away
            raise UplinkError("unreachable", f"GET /model: {status}")
        there = parse_json(body)
        if status != 200 or "fingerprint" not in there:
            raise MismatchError(
                f"{self._client.url} answers, but not as a SplitDNN cloud (GET /model: {status}); "
                "give --cloud-url the address of `python -m cloud`"
            )
        here = self._model
        if there["fingerprint"] != here.fingerprint.hex():
            raise MismatchError(
                f"the cloud at {self._client.url} runs {there.get('model')} with weights {there.get('weights')} "
                f"({there['fingerprint']}), this edge {here.name} with weights {here.weights} "
                f"({here.fingerprint.hex()}); give both the same --model and --weights"
            )
        return there
