"""The way to the cloud: one keep-alive HTTP client, several requests under way."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast

import aiohttp

from edge.circuit import Circuit
from shared.errors import StartupError
from shared.wire import CONTENT_TYPE

if TYPE_CHECKING:
    from edge.metrics import EdgeMetrics
    from shared.answers import TopClass
    from shared.models import Model

_log = logging.getLogger(__name__)

_MAX_REPLY_BYTES = 1 << 20
_PROBE_TIMEOUT_S = 2.0
_PROBE_PERIOD_S = 0.1

# A frame is one write to a socket; the warning is about bodies that take long to produce.
warnings.filterwarnings("ignore", message="Sending a large body directly", category=ResourceWarning)


class UplinkError(Exception):
    """The cloud did not answer this frame; `reason` is one of edge/metrics.py's FALLBACKS."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class MismatchError(StartupError):
    """The cloud runs another network, or is no SplitDNN cloud at all."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The cloud's answer to one frame."""

    top: list[TopClass]
    stages_ms: dict[str, float]


class Uplink:
    """Asks the cloud, within a deadline, unless the circuit is open."""

    def __init__(
        self, url: str, model: Model, metrics: EdgeMetrics, *, in_flight: int, deadline_s: float
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
        self._session = aiohttp.ClientSession(connector=connector)
        self._prober = asyncio.create_task(self._probe())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._prober.cancel()
        await self._session.close()

    async def ask(self, frame: bytes, top: int) -> Reply:
        """Send one frame and wait for its classes, at most the deadline. Raises UplinkError."""
        if not self.circuit.allows():
            raise UplinkError("circuit_open", "the circuit is open")
        try:
            with self._metrics.in_flight.track_inprogress():
                reply = await self._post(frame, top)
        except UplinkError as error:
            self.circuit.failed(f"{error.reason}: {error}")
            raise
        except BaseException:
            self.circuit.released()
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
                self._metrics.uplink_bytes.inc(len(frame))
                if response.status != 200:
                    raise _refusal(response.status, body)
        except TimeoutError:
            raise UplinkError("late", f"no answer within {self._deadline_s:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise UplinkError("unreachable", str(error) or type(error).__name__) from None
        reply = _parse_reply(body)
        on_the_way_s = time.perf_counter() - start - sum(reply.stages_ms.values()) / 1e3
        if on_the_way_s > 0:
            self._metrics.uplink_throughput.set(len(frame) / on_the_way_s)
        return reply

    async def _probe(self) -> None:
        """While the circuit is open, find out when the cloud is back; no frame pays for it."""
        while True:
            await asyncio.sleep(_PROBE_PERIOD_S)
            if self.circuit.wants_probe():
                try:
                    await self._compare()
                except (UplinkError, MismatchError) as error:
                    _log.debug("probe: %s", error)
                    self.circuit.probe_answered(well=False)
                else:
                    self.circuit.probe_answered(well=True)

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
    return UplinkError({503: "busy", 504: "late"}.get(status, "refused"), text)


def _parse_reply(body: bytes) -> Reply:
    fields = _parse_json(body)
    try:
        return Reply(cast("list[TopClass]", list(fields["top"])), dict(fields["stages_ms"]))
    except (KeyError, TypeError, ValueError):
        raise UplinkError("refused", "the answer is not one of a SplitDNN cloud") from None


def _parse_json(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}
