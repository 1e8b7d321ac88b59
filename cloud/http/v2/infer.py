"""`POST /v2/models/NAME/infer`: the way of an inference request through the cloud, which is that of a frame."""

from __future__ import annotations

import asyncio
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from cloud.access.audit import Action
from cloud.batching.crossing import join
from cloud.bodies.inference.answer import Composer, require_room
from cloud.bodies.inference.reading import Reading, holds_frame
from cloud.bodies.inference.request import HEADER, header_length, parse_header, parse_request, raw_request
from cloud.bodies.inference.tensors import require_rows
from cloud.bodies.pictures.picture import IMAGE
from cloud.http.query import wanted_of
from cloud.http.tail import TailHandler
from cloud.http.v2.asking import JSON_TYPE
from shared.errors import FingerprintError, ProfileMissingError
from shared.limits import MAX_LABELS
from shared.network.partition import INPUT
from shared.security.rights import Right, one_of
from shared.wire.frame import deadline_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloud.batching.crossing import TailRun
    from cloud.bodies.body import Body
    from cloud.bodies.frames import Work
    from cloud.bodies.inference.request import Request
    from cloud.bodies.reply import Reply
    from cloud.networks.network import LoadedNetwork
    from cloud.service import Service
    from shared.observing.telemetry import Stopwatch
    from shared.security.rights import Needs
    from shared.wire.frame import Bytes

_Result = TypeVar("_Result")


class InferHandler(TailHandler):
    """Runs a tail on tensors, frames or pictures, and answers with the outputs that are asked for."""

    endpoint: ClassVar[str] = "/v2/models"
    json_type: ClassVar[str] = JSON_TYPE
    needs: ClassVar[Needs] = one_of(Right.FRAMES, Right.JSON)

    def initialize(self, service: Service) -> None:
        super().initialize(service)
        if self.request.method == "POST":
            self.action = Action.FRAME if self.is_frame() else Action.JSON

    def needed(self) -> Needs:
        return one_of(Right.FRAMES if self.is_frame() else Right.JSON)

    def is_frame(self) -> bool:
        return HEADER in self.request.headers

    async def post(self, **_named: str) -> None:
        await self.complete()

    def check_header(self) -> None:
        self._json_bytes = header_length(self.request.headers.get(HEADER), self._declared())
        self._network()

    async def answer(self, body: Body, watch: Stopwatch) -> Reply:
        if self._json_bytes is None:
            return await self._answer_json(body, watch)
        request = parse_header(_beginning(body), self._json_bytes) if self._json_bytes else self._raw()
        require_rows(request, self.service.settings.queue_capacity)
        network, composer = self._accepted(request, watch)
        self.way.count_frames(request.rows - 1)
        reading = Reading(
            request,
            body,
            self._json_bytes,
            network,
            self.service.networks,
            self.service.profiles,
            pinned=self._version is not None,
            entry=self.way.entry,
        )
        if not request.by_row:
            read = partial(self._charged, reading.tensors)
            if request.rows == 1:
                return await self.way.one(body.size, read, composer, 0)
            decoding = self.service.decoder.read(read, self.account, self.way.remaining_s)
            return await self.way.answer_decoded(decoding, composer)
        element = _beginning(body)[request.first_element(self._json_bytes) :]
        if request.rows == 1 and holds_frame(element):
            return await self.way.one(
                body.size, partial(self._charged, reading.only_frame), composer, deadline_of(element)
            )
        return await self._answer_rows(reading, composer)

    async def _answer_json(self, body: Body, watch: Stopwatch) -> Reply:
        decoder = self.service.decoder
        decoding = decoder.json(body, self.account, self.way.remaining_s, self._network(), "inference")
        network, work = await self.way.decoded(decoding, watch)
        request = parse_request(work.count, emptied=True)
        _, composer = self._accepted(request, watch)
        self.way.count_frames(request.rows - 1)
        run = await self.way.run_tail(network, work, watch)
        return await self.way.composed(composer, network, work, run.outputs)

    async def _answer_rows(self, reading: Reading, composer: Composer) -> Reply:
        """Each row is decoded in a turn of its own and joins whatever batch there is; the first refusal is that of all."""
        decoder = self.service.decoder
        rows = await decoder.aside(self.account, self.way.remaining_s(), reading.split)
        tasks = [asyncio.create_task(self._row(reading, row, composer.watch)) for row in rows]
        try:
            found = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        networks, sources, runs = zip(*found, strict=True)
        if len(set(networks)) > 1:
            raise FingerprintError(
                "the frames of one request are for several networks; send one request for each"
            )

        def compose() -> Reply:
            return composer.compose_rows(networks[0], sources, join([run.outputs for run in runs]))

        return await decoder.aside(self.account, self.way.remaining_s(), compose, charges=True)

    async def _row(
        self, reading: Reading, row: memoryview, watch: Stopwatch
    ) -> tuple[LoadedNetwork, tuple[int, int] | None, TailRun]:
        """The run of one row, with the size of its picture if that is one."""
        decoder = self.service.decoder
        source = None
        if reading.request.inputs[0].datatype == "UINT8":
            source = reading.picture_size
            decoding = self.way.decoded(
                decoder.read(partial(self._charged, reading.pixels, row), self.account, self.way.remaining_s),
                watch,
            )
        elif holds_frame(row):
            decoding = self._frame(reading, row, watch)
        else:
            self.way.entry.note_unnumbered(INPUT, IMAGE)
            decoding = self.way.decoded(
                decoder.picture(lambda: row, self.account, self.way.remaining_s, reading.network), watch
            )
        network, work = await decoding
        self.way.note_payload(work)
        return network, work.source or source, await self.way.run_tail(network, work, watch)

    async def _frame(self, reading: Reading, row: memoryview, watch: Stopwatch) -> tuple[LoadedNetwork, Work]:
        decoder = self.service.decoder
        read = partial(self._charged, reading.frame, row)
        try:
            return await self.way.decoded(decoder.read(read, self.account, self.way.remaining_s), watch)
        except ProfileMissingError as error:
            if not await self.way.bring_profile(error.name, deadline_of(row)):
                raise
        again = partial(read, again=True)
        return await self.way.decoded(decoder.read(again, self.account, self.way.remaining_s), watch)

    def send(self, reply: Reply) -> None:
        if reply.json_bytes is None:
            self.finish_json(reply.body)
            return
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header(HEADER, str(reply.json_bytes))
        self.finish(reply.body)

    def _accepted(self, request: Request, watch: Stopwatch) -> tuple[LoadedNetwork, Composer]:
        """The network that is asked, and what composes its answer. Raises RequestError for what cannot be given, before it is computed."""
        self.way.timeout_ms = request.timeout_ms
        network = self._network()
        require_room(request, network)
        return network, Composer(self.service.metrics.step_cpu, self.account, watch, request)

    def _raw(self) -> Request:
        wanted = wanted_of(self.request.query_arguments, MAX_LABELS)
        return raw_request(self.get_query_argument("outputs", ""), wanted)

    def _charged(self, read: Callable[..., _Result], *given: Any, **named: Any) -> _Result:
        """On a thread."""
        with self.account.computing(self.service.metrics.step_cpu, "decode"):
            return read(*given, **named)

    @cached_property
    def _version(self) -> str | None:
        return self.path_kwargs.get("version")

    def _network(self) -> LoadedNetwork:
        return self.service.networks.named(self.path_kwargs["name"], self._version)


def _beginning(body: Body) -> Bytes:
    """The first piece of a body: longer than any JSON before binary tensors, or all there is."""
    return memoryview(body.pieces[0]) if body.pieces else b""
