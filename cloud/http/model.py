"""`/model`: what runs here, and the way of a frame through the cloud."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, ClassVar

from cloud.access.audit import Action
from cloud.access.ledger import Entry
from cloud.bodies.json.answer import json_answer, require_answerable
from cloud.bodies.pictures.picture import IMAGE, IMAGE_TYPES, PICTURE_TYPES, file_in
from cloud.bodies.reply import Composer, Reply
from cloud.http.query import wanted_of
from cloud.http.tail import TailHandler
from cloud.networks.description import description
from shared.errors import MediaTypeError
from shared.limits import MAX_LABELS
from shared.network.partition import INPUT
from shared.security.rights import Right, one_of
from shared.wire.frame import deadline_of
from shared.wire.http import CONTENT_TYPE

if TYPE_CHECKING:
    from cloud.bodies.body import Body
    from cloud.service import Service
    from shared.observing.telemetry import Stopwatch
    from shared.security.rights import Needs
    from shared.tasks.spec import Wanted
    from shared.wire.frame import Bytes

# "" and the form type: what clients send that set none, curl -d among them.
_JSON_TYPES = ("application/json", "text/json", "", "application/x-www-form-urlencoded")


class ModelHandler(TailHandler):
    """`GET /model` says what runs here; `POST /model` runs a tail, on a frame, a picture or JSON."""

    needs: ClassVar[Needs] = one_of(Right.FRAMES, Right.JSON, Right.PROFILES, Right.BUNDLES, Right.PAGE)

    def initialize(self, service: Service) -> None:
        super().initialize(service)
        if self.request.method == "POST":
            self.action = Action.JSON if self._is_json() else Action.FRAME

    def needed(self) -> Needs:
        posting = one_of(Right.JSON if self._is_json() else Right.FRAMES)
        return posting if self.request.method == "POST" else self.needs

    async def get(self) -> None:
        self.service.lifecycle.require_ready()
        await self.in_turn()
        self.finish(description(self.service))

    async def post(self) -> None:
        await self.complete()

    def entry(self) -> Entry:
        entry = Entry(None if self._is_json() else self.service.ledger, self.client)
        if self._is_picture():
            entry.note_unnumbered(INPUT, IMAGE)
        return entry

    def check_header(self) -> None:
        if self._content_type not in (CONTENT_TYPE, *_JSON_TYPES, *PICTURE_TYPES):
            raise MediaTypeError(
                f"Content-Type {self._content_type} is not supported",
                accepted=[CONTENT_TYPE, *IMAGE_TYPES, "application/json"],
            )
        self._asked = self._wanted()

    async def answer(self, body: Body, watch: Stopwatch) -> Reply:
        if self._is_json():
            return await self._answer_json(body, watch)
        decoder = self.service.decoder
        composer = Composer(
            self.service.metrics.step_cpu,
            self.account,
            watch,
            self._asked,
            self.service.networks,
            body.received(),
        )
        if self._is_picture():
            decoding = decoder.picture(partial(self._file, body), self.account, self.way.remaining_s)
            return await self.way.answer_decoded(decoding, composer)
        read = partial(decoder.read_frame, body, self.account, self.way.entry)
        deadline_ms = deadline_of(body.pieces[0]) if body.pieces else 0
        return await self.way.one(body.size, read, composer, deadline_ms)

    async def _answer_json(self, body: Body, watch: Stopwatch) -> Reply:
        decoder, way = self.service.decoder, self.way
        network, work = await way.decoded(decoder.json(body, self.account, way.remaining_s), watch)
        require_answerable(network.usage.numbers * len(work.crossing[0]))
        run = await way.run_tail(network, work, watch)
        answer = partial(json_answer, run.outputs, network.model.outputs, work.count)
        return Reply(await decoder.aside(self.account, way.remaining_s(), answer))

    def send(self, reply: Reply) -> None:
        if reply.digest:
            self.set_header("Content-Digest", reply.digest)
        self.finish_json(reply.body)

    @cached_property
    def _content_type(self) -> str:
        return self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def is_frame(self) -> bool:
        return self.request.method == "POST" and self._content_type == CONTENT_TYPE

    def _is_picture(self) -> bool:
        return self._content_type in PICTURE_TYPES

    def _is_json(self) -> bool:
        return not (self.is_frame() or self._is_picture())

    def _file(self, body: Body) -> Bytes:
        return file_in(body.whole(), self.request.headers["Content-Type"])

    def _wanted(self) -> Wanted:
        classes = max(len(network.model.labels) for network in self.service.networks) or MAX_LABELS
        return wanted_of(self.request.query_arguments, classes)
