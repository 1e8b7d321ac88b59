"""The way to the cloud: one keep-alive HTTP client, several requests under way."""

from __future__ import annotations

import asyncio
import logging
import time
import warnings
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from edge.circuit import Circuit
from edge.profile_upload import ProfileUpload
from edge.reply import Reply, UplinkError, parse_json, parse_reply, read_body, refusal_of
from shared.errors import MismatchError
from shared.wire import CONTENT_TYPE

if TYPE_CHECKING:
    from edge.metrics import EdgeMetrics
    from shared.models import ModelInfo
    from shared.profile import Profile

_log = logging.getLogger(__name__)

_PROBE_TIMEOUT_S = 2.0
_PROBE_PERIOD_S = 0.1

# A frame is one write to a socket; the warning is about bodies that take long to produce.
warnings.filterwarnings("ignore", message="Sending a large body directly", category=ResourceWarning)


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
        profile: Profile | None = None,
    ) -> None:
        """`profile` is the codec's, if it has one: the cloud is brought it whenever it has it not."""
        self._url = url
        self._model = model
        self._metrics = metrics
        self._deadline_s = deadline_s
        self._in_flight = in_flight
        self._upload = (
            ProfileUpload(profile, self._put, metrics.profile_uploads, patience_s=deadline_s)
            if profile
            else None
        )
        self.circuit = Circuit(metrics.circuit_state, time.monotonic)

    async def __aenter__(self) -> Self:
        # One connection more for the probe. A restarted cloud may come back at another address: look again soon.
        connector = aiohttp.TCPConnector(limit=self._in_flight + 1, ttl_dns_cache=1)
        trace = aiohttp.TraceConfig()
        trace.on_request_chunk_sent.append(self._count_sent)
        self._session = aiohttp.ClientSession(connector=connector, trace_configs=[trace])
        self._prober = asyncio.create_task(self._probe())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._prober.cancel()
        await asyncio.gather(self._prober, return_exceptions=True)
        if self._upload:
            await self._upload.close()
        await self._session.close()

    async def ask(self, frame: bytes, top: int) -> Reply:
        """Send one frame and wait for its classes, at most the deadline. Raises UplinkError."""
        upload, start = self._upload, time.monotonic()
        if upload:
            upload.require_hope()
        if not self.circuit.allows():
            raise UplinkError("circuit_open", "the circuit is open")
        era = self.circuit.era
        try:
            with self._metrics.in_flight.track_inprogress():
                reply = await self._ask(frame, top, start)
        except UplinkError as error:
            if upload and error.reason == "late" and upload.ended >= start:
                error.reason = "profile"  # which took this frame's time; the cloud is not to blame
            if upload and error.reason == "profile":
                self.circuit.released(era)  # the cloud answers, and no cool-down would mend this
            else:
                self.circuit.failed(f"{error.reason}: {error}", era)
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
            self.circuit.open(f"no cloud at {self._url} ({error})")

    async def _ask(self, frame: bytes, top: int, start: float) -> Reply:
        """Where the cloud misses the codec's profile: bring it, and send the frame once more."""
        upload, end = self._upload, start + self._deadline_s
        if upload is None:
            return await self._post(frame, top, self._deadline_s)
        await upload.ready()
        taken = upload.taken
        try:
            return await self._post(frame, top, end - time.monotonic())
        except UplinkError as error:
            if error.reason != "profile":
                raise
        if upload.taken == taken:
            await upload.bring(end - time.monotonic())
        return await self._post(frame, top, end - time.monotonic())

    async def _post(self, frame: bytes, top: int, patience_s: float) -> Reply:
        start = time.perf_counter()
        status, body = await self._request(
            "POST", f"/model?top={top}", patience_s, data=frame, headers={"Content-Type": CONTENT_TYPE}
        )
        if status != 200:
            raise refusal_of(status, body)
        reply = parse_reply(body)
        # The cloud's `receive` is this frame's way in, so it stays.
        computing_ms = sum(ms for stage, ms in reply.stages_ms.items() if stage != "receive")
        on_the_way_s = time.perf_counter() - start - computing_ms / 1e3
        if on_the_way_s > 0:
            self._metrics.uplink_throughput.set(len(frame) / on_the_way_s)
        return reply

    async def _put(self, path: str, data: bytes, patience_s: float) -> tuple[int, bytes]:
        return await self._request("PUT", path, patience_s, data=data)

    async def _request(self, method: str, path: str, patience_s: float, **options: Any) -> tuple[int, bytes]:
        """Status and body of an answer, whatever it says. Raises UplinkError if there is none in time."""
        timeout = aiohttp.ClientTimeout(total=max(1e-3, patience_s))  # 0 would be for ever
        try:
            async with self._session.request(
                method, self._url + path, timeout=timeout, **options
            ) as response:
                return response.status, await read_body(response)
        except TimeoutError:
            raise UplinkError("late", f"no answer within {patience_s:.3g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise UplinkError("unreachable", str(error) or type(error).__name__) from None

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

    async def _count_sent(
        self, _session: object, _context: object, sent: aiohttp.TraceRequestChunkSentParams
    ) -> None:
        if sent.method == "POST":  # a profile is no frame
            self._metrics.uplink_bytes.inc(len(sent.chunk))  # of frames answered late or never as well

    async def _greet(self) -> None:
        there = await self._compare()
        if self._upload:
            await self._upload.greet(there)

    async def _compare(self) -> dict[str, Any]:
        status, body = await self._request("GET", "/model", min(_PROBE_TIMEOUT_S, self._deadline_s))
        if status == 503:
            raise UplinkError("busy", "it is starting or stopping")
        if status >= 500:  # a proxy's, while the cloud behind it is away
            raise UplinkError("unreachable", f"GET /model: {status}")
        there = parse_json(body)
        if status != 200 or "fingerprint" not in there:
            raise MismatchError(
                f"{self._url} answers, but not as a SplitDNN cloud (GET /model: {status}); "
                "give --cloud-url the address of `python -m cloud`"
            )
        here = self._model
        if there["fingerprint"] != here.fingerprint.hex():
            raise MismatchError(
                f"the cloud at {self._url} runs {there.get('model')} with weights {there.get('weights')} "
                f"({there['fingerprint']}), this edge {here.name} with weights {here.weights} "
                f"({here.fingerprint.hex()}); give both the same --model and --weights"
            )
        return there
