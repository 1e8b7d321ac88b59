"""The way to the cloud: one keep-alive HTTP client, several requests under way."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from edge.circuit import Circuit
from shared.errors import MismatchError
from shared.wire import CONTENT_TYPE

if TYPE_CHECKING:
    from edge.metrics import EdgeMetrics
    from shared.answers import TopClass
    from shared.models import ModelInfo

_log = logging.getLogger(__name__)

_MAX_REPLY_BYTES = 1 << 20
_PROBE_TIMEOUT_S = 2.0
_PROBE_PERIOD_S = 0.1
_MAX_SHOWN = 300

# A frame is one write to a socket; the warning is about bodies that take long to produce.
warnings.filterwarnings("ignore", message="Sending a large body directly", category=ResourceWarning)


class UplinkError(Exception):
    """The cloud did not answer this frame; `reason` is one of edge/metrics.py's FALLBACKS."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Reply:
    """The cloud's answer to one frame."""

    top: list[TopClass]
    stages_ms: dict[str, float]


class Uplink:
    """Asks the cloud, within a deadline, unless the circuit is open."""

    def __init__(
        self, url: str, model: ModelInfo, metrics: EdgeMetrics, *, in_flight: int, deadline_s: float
    ) -> None:
        self._url = url
        self._model = model
        self._metrics = metrics
        self._deadline_s = deadline_s
        self._in_flight = in_flight
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
        await self._session.close()

    async def ask(self, frame: bytes, top: int) -> Reply:
        """Send one frame and wait for its classes, at most the deadline. Raises UplinkError."""
        if not self.circuit.allows():
            raise UplinkError("circuit_open", "the circuit is open")
        era = self.circuit.era
        try:
            with self._metrics.in_flight.track_inprogress():
                reply = await self._post(frame, top)
        except UplinkError as error:
            self.circuit.failed(f"{error.reason}: {error}", era)
            raise
        except BaseException:
            self.circuit.released(era)
            raise
        self.circuit.succeeded()
        return reply

    async def check(self) -> None:
        """Compare both sides once, before the first frame.

        Raises MismatchError if the cloud runs something else. A cloud that is away is no error: the circuit opens and
        the edge answers until it is there.
        """
        try:
            await self._compare()
        except UplinkError as error:
            self.circuit.open(f"no cloud at {self._url} ({error})")

    async def _post(self, frame: bytes, top: int) -> Reply:
        start = time.perf_counter()
        timeout = aiohttp.ClientTimeout(total=self._deadline_s)
        headers = {"Content-Type": CONTENT_TYPE}
        url = f"{self._url}/model?top={top}"
        try:
            async with self._session.post(url, data=frame, headers=headers, timeout=timeout) as response:
                body = await _read(response)
                if response.status != 200:
                    raise _refusal(response.status, body)
        except TimeoutError:
            raise UplinkError("late", f"no answer within {self._deadline_s:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise UplinkError("unreachable", str(error) or type(error).__name__) from None
        reply = _parse_reply(body)
        # The cloud's `receive` is this frame's way in, so it stays.
        computing_ms = sum(ms for stage, ms in reply.stages_ms.items() if stage != "receive")
        on_the_way_s = time.perf_counter() - start - computing_ms / 1e3
        if on_the_way_s > 0:
            self._metrics.uplink_throughput.set(len(frame) / on_the_way_s)
        return reply

    async def _probe(self) -> None:
        """While the circuit is open, find out when the cloud is back; no frame pays for it."""
        told = ""
        while True:
            await asyncio.sleep(_PROBE_PERIOD_S)
            if self.circuit.wants_probe():
                try:
                    await self._compare()
                except (
                    MismatchError
                ) as error:  # nothing will mend this by itself, so somebody must be told, once
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
        self._metrics.uplink_bytes.inc(len(sent.chunk))  # of frames that were answered late or never as well

    async def _compare(self) -> None:
        timeout = aiohttp.ClientTimeout(total=min(_PROBE_TIMEOUT_S, self._deadline_s))
        try:
            async with self._session.get(f"{self._url}/model", timeout=timeout) as response:
                status, body = response.status, await _read(response)
        except TimeoutError:
            raise UplinkError("late", "no answer in time") from None
        except (aiohttp.ClientError, OSError) as error:
            raise UplinkError("unreachable", str(error) or type(error).__name__) from None
        if status == 503:
            raise UplinkError("busy", "it is starting or stopping")
        if status >= 500:  # a proxy's, while the cloud behind it is away
            raise UplinkError("unreachable", f"GET /model: {status}")
        there = _parse_json(body)
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


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, bounded: whatever answers, this process does not swell."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MAX_REPLY_BYTES:
            raise UplinkError("refused", f"the answer is longer than {_MAX_REPLY_BYTES} bytes")
    return bytes(body)


def _refusal(status: int, body: bytes) -> UplinkError:
    text = f"{status} {_parse_json(body).get('error', '')}".strip()
    return UplinkError({503: "busy", 504: "late"}.get(status, "refused"), text[:_MAX_SHOWN])


def _parse_reply(body: bytes) -> Reply:
    """Checked to the last value, as records are made of it: a bad answer costs one frame, not the run."""
    fields = _parse_json(body)
    try:
        top = [_parse_class(each) for each in fields["top"]]
        stages_ms = {_text(name): _number(ms) for name, ms in fields["stages_ms"].items()}
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        top, stages_ms = [], {}
    if not top:
        raise UplinkError("refused", "the answer is not one of a SplitDNN cloud")
    return Reply(top, stages_ms)


def _parse_class(fields: dict[str, Any]) -> TopClass:
    return {
        "class_id": int(fields["class_id"]),
        "label": _text(fields["label"]),
        "probability": _number(fields["probability"]),
    }


def _text(value: str) -> str:
    value.encode()  # raises ValueError for what no file or terminal takes
    return value


def _number(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError
    return float(value)


def _parse_json(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
