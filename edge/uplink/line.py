"""The way to one cloud, which every edition of the network shares: connections, circuit breaker, what is known of the link."""

from __future__ import annotations

import asyncio
import contextlib
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeAlias

from edge.uplink.asking.overhead import Overhead
from edge.uplink.asking.patience import Patience
from edge.uplink.circuit import Circuit
from edge.uplink.client import CloudClient
from edge.uplink.clouds.addresses import name_of
from edge.uplink.clouds.heard import Heard
from edge.uplink.greeting import read_model
from edge.uplink.link import Link
from edge.uplink.session.carrying.flow import Flow
from shared.errors import MismatchError, UplinkError
from shared.security.tls.context import FixedContext, TLSFiles, client_context
from shared.security.tls.renewal import RenewedContext

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from edge.config import EdgeSettings
    from edge.metrics import EdgeMetrics
    from shared.security.tokens.bearer import Bearer

SessionMode: TypeAlias = Literal["auto", "off", "only"]

_HURRY_S = 1.0
"""The first frame waits for the first question to the cloud, whatever the link."""
_LISTEN_S = 30.0
_BESIDE_FRAMES = 3
"""Connections for the probe, the question for tail times, and a profile on its way: the last two may take minutes, and no frame waits for
them.
"""
_LONG_BYTES = 64 << 10
"""An answer that is longer is read on a thread: it would hold up the event loop."""


def _files_of(settings: EdgeSettings) -> TLSFiles:
    flags = ("--client-certificate", "--client-key", "--ca")
    return TLSFiles(settings.client_certificate, settings.client_key, settings.ca, flags)


def _has_tls(settings: EdgeSettings) -> bool:
    return any(url.startswith("https:") for url in settings.cloud_url.split(","))


def trust_of(settings: EdgeSettings, metrics: EdgeMetrics) -> RenewedContext | None:
    """What the cloud is checked with; None for one without TLS. Raises SettingsError."""
    if not _has_tls(settings):
        return None
    return RenewedContext(client_context, _files_of(settings), metrics=metrics, certificate="client")


def context_of(settings: EdgeSettings) -> FixedContext | None:
    """The same for one request that does not last; None for a cloud without TLS. Raises SettingsError."""
    if not _has_tls(settings):
        return None
    files = _files_of(settings)
    return FixedContext(client_context(files), files)


class _Sessions(Protocol):
    """See edge/uplink/session/sessions.py."""

    @property
    def is_there(self) -> bool: ...


class Line:
    """Open while the edge runs. Used from the event loop only."""

    def __init__(
        self,
        url: str,
        metrics: EdgeMetrics,
        *,
        in_flight: int,
        deadline_s: float,
        bearer: Bearer | None = None,
        tls: RenewedContext | None = None,
        proxy: str | None = None,
        one_of_several: bool = False,
        session: SessionMode = "auto",
    ) -> None:
        """`deadline_s`: the longest that a frame may wait. One that waits less and is late says nothing of the cloud.

        `bearer` has the token that the cloud is shown. `tls`: what an https cloud is checked with; by default the system's CAs.
        `proxy`: the URL of one to go through. `one_of_several`: whoever has the others watches over the files of TLS, and exports
        the circuit. `session`: whether frames go over a session where the cloud has them.
        """
        self.name = name_of(url)
        """The cloud's address, without anything secret."""
        self.client = CloudClient(
            url,
            metrics.uplink_bytes,
            connections=in_flight + _BESIDE_FRAMES,
            bearer=bearer,
            tls=tls,
            proxy=proxy,
        )
        self.client.wire = metrics.wire
        self.circuit = (
            Circuit(
                None,
                time.monotonic,
                self._release,
                label=f"circuit of {self.name}",
                instead="the others are asked",
            )
            if one_of_several
            else Circuit(metrics.circuit_state, time.monotonic, self._release)
        )
        self.link = Link(time.monotonic)
        self.session_mode = session
        self.follows = False
        """Whether the edge takes another network as soon as the cloud has it."""
        self.sessions: list[_Sessions] = []
        """Those of each edition of the network."""
        self.flow = Flow(lambda: self.link.state, time.monotonic, most=max(1, in_flight - 1))
        self.overhead = Overhead(metrics.session.overhead)
        self.heard = Heard()
        self.gives_bundle = False
        """Whether the cloud has said that it gives its network to edges."""
        self.is_greeted = False
        """Whether it was found to serve this edge's network, and has the profiles that frames wait for: before that it is not asked."""
        self.deadline_s = deadline_s
        self._waiting: set[asyncio.Timeout] = set()
        self._patience = Patience()
        self._greet: Callable[[], Awaitable[object]] = self.ask_model
        self._tls = None if one_of_several else tls
        self._beside: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self.client.open()
        self._beside = [
            asyncio.create_task(self.circuit.probe(self._find_out)),
            asyncio.create_task(self._listen()),
        ]
        if self._tls:
            self._beside.append(asyncio.create_task(self._tls.watch()))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        await self.client.close()

    @property
    def url(self) -> str:
        """The cloud's address, as it was given."""
        return self.client.url

    @property
    def has_session(self) -> bool:
        """Whether frames go over a session now."""
        return any(each.is_there for each in self.sessions)

    @property
    def frame_overhead_bytes(self) -> float:
        """What a frame costs on the wire beside its payload now, its answer included."""
        return self.overhead.session if self.has_session else self.overhead.http

    def client_for(self, _fingerprint: str) -> CloudClient:
        """The client of a cloud that runs this network: there is one cloud."""
        return self.client

    def said(self) -> list[dict[str, Any]]:
        """For people: what is known of the cloud, nothing secret."""
        state = self.link.state
        asked = self.is_greeted or not self.circuit.is_closed
        return [
            {
                "cloud": self.name,
                "state": self.circuit.state.value if asked else "not_asked",
                "network": self.heard.fingerprint,
                "round_trip_ms": round(1e3 * state.round_trip_s, 2),
                "throughput_bytes_per_s": round(state.bytes_per_s) if self.link.is_known else None,
            }
        ]

    async def _listen(self) -> None:
        """Over a session no answer says which network the cloud runs: an edge that takes every later one asks for it."""
        while True:
            await asyncio.sleep(_LISTEN_S)
            if self.follows and self.has_session:
                with contextlib.suppress(UplinkError, MismatchError):
                    await self.ask_model()

    async def _find_out(self) -> None:
        await self._greet()  # of the edition that is in force at this moment

    def probe_with(self, greet: Callable[[], Awaitable[object]]) -> None:
        """While the circuit is open, find out by `greet` whether the cloud is back; it raises if not."""
        self._greet = greet

    async def ask_model(self, *, hurry: bool = False) -> dict[str, Any]:
        """The cloud's answer to `GET /model`; `heard` takes note of its fingerprint. `hurry`: something waits for it.

        Raises UplinkError if the cloud is away, MismatchError if something answers that is not a SplitDNN cloud.
        """
        about: dict[str, Any] = {}
        patience = min(_HURRY_S, self.deadline_s) if hurry else self._patience.timeout
        try:
            # While it is away, open connections may be dead, and each would take its time to show it.
            status, body = await self.client.request(
                "GET", "/model", patience, about, afresh=self.circuit.is_open
            )
        except UplinkError as error:
            if error.reason == "late" and "fresh" not in about:
                self._patience.unconnected()
            raise
        read = partial(read_model, status, body, self.client.url, about.get("cloud"))
        said = await asyncio.to_thread(read) if len(body) > _LONG_BYTES else read()
        self.heard.note(said["fingerprint"])
        bundle = said.get("bundle")
        self.gives_bundle = isinstance(bundle, dict) and bundle.get("served") is True
        return said

    @contextlib.asynccontextmanager
    async def in_time(self, deadline_s: float) -> AsyncIterator[None]:
        """End the block after so long, or as soon as the circuit opens: no answer is then to be expected."""
        try:
            async with asyncio.timeout(deadline_s) as waiting:
                self._waiting.add(waiting)
                try:
                    yield
                finally:
                    self._waiting.discard(waiting)
        except TimeoutError:
            if self.circuit.is_open:
                raise UplinkError("circuit_open", "the circuit opened meanwhile") from None
            raise UplinkError("late", f"no answer within {deadline_s:.3g} s") from None

    def _release(self) -> None:
        """The circuit opened: end the wait of every frame under way."""
        for waiting in self._waiting:
            if not waiting.expired():
                waiting.reschedule(asyncio.get_running_loop().time())
