"""`/model`: what runs here, and the way of a frame through the cloud."""

from __future__ import annotations

import re
from functools import cached_property, partial
from typing import TYPE_CHECKING, ClassVar

from cloud.access.audit import Action
from cloud.bodies.json_answer import json_answer, require_answerable
from cloud.bodies.reply import Composer, Reply
from cloud.http.tail import TailHandler
from shared.errors import BodyError, MediaTypeError
from shared.limits import MAX_LABELS
from shared.security.rights import Right, one_of
from shared.tasks.spec import Wanted
from shared.wire.frame import deadline_of
from shared.wire.http import CONTENT_TYPE

if TYPE_CHECKING:
    from cloud.bodies.body import Body
    from cloud.service import Service
    from shared.observing.telemetry import Stopwatch
    from shared.security.rights import Needs

# "" and the form type: what clients send that set none, curl -d among them.
_JSON_TYPES = ("application/json", "text/json", "", "application/x-www-form-urlencoded")
_NUMBER = re.compile(r"(?=.{1,40}$)([0-9]+[.]?[0-9]*|[.][0-9]+)(e-?[0-9]+)?")
"""What Python's `float` is given of a query: it also takes spaces, underscores and the digits of other scripts."""


class ModelHandler(TailHandler):
    """`GET /model` says what runs here; `POST /model` runs a tail, on a frame or on JSON."""

    needs: ClassVar[Needs] = one_of(Right.FRAMES, Right.JSON, Right.PROFILES, Right.BUNDLES, Right.PAGE)

    def initialize(self, service: Service) -> None:
        super().initialize(service)
        if self.request.method == "POST":
            self.action = Action.FRAME if self.is_frame() else Action.JSON

    def needed(self) -> Needs:
        posting = one_of(Right.FRAMES if self.is_frame() else Right.JSON)
        return posting if self.request.method == "POST" else self.needs

    async def get(self) -> None:
        self.service.lifecycle.require_ready()
        await self.in_turn()
        self.finish(self.service.describe())

    async def post(self) -> None:
        await self.complete()

    def check_header(self) -> None:
        if self._content_type not in (CONTENT_TYPE, *_JSON_TYPES):
            raise MediaTypeError(
                f"Content-Type {self._content_type} is not supported",
                accepted=[CONTENT_TYPE, "application/json"],
            )
        self._asked = self._wanted()

    async def answer(self, body: Body, watch: Stopwatch) -> Reply:
        if not self.is_frame():
            return await self._answer_json(body, watch)
        composer = Composer(
            self.service.metrics.step_cpu,
            self.account,
            watch,
            self._asked,
            self.service.networks,
            body.received(),
        )
        read = partial(self.service.decoder.read_frame, body, self.account, self._progress.entry)
        deadline_ms = deadline_of(body.pieces[0]) if body.pieces else 0
        return await self.answer_one(body, read, composer, deadline_ms)

    async def _answer_json(self, body: Body, watch: Stopwatch) -> Reply:
        decoder = self.service.decoder
        network, work = await self.decoded(decoder.json(body, self.account, self.remaining_s), watch)
        require_answerable(network.usage.numbers * len(work.crossing[0]))
        run = await self.run_tail(network, work, watch)
        answer = partial(json_answer, run.outputs, network.model.outputs, work.count)
        return Reply(await decoder.aside(self.account, self.remaining_s(), answer))

    def send(self, reply: Reply) -> None:
        if reply.digest:
            self.set_header("Content-Digest", reply.digest)
        self.finish_json(reply.body)

    @cached_property
    def _content_type(self) -> str:
        return self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def is_frame(self) -> bool:
        return self.request.method == "POST" and self._content_type == CONTENT_TYPE

    def _wanted(self) -> Wanted:
        """What the query asks of the answer. Raises BodyError for what no network here could give."""
        for name in ("top", "threshold"):
            if len(self.request.query_arguments.get(name, ())) > 1:
                raise BodyError(f"{name}= is given more than once", accepted={name: "once"})
        return Wanted(self._top(), self._threshold())

    def _top(self) -> int:
        text = self.get_query_argument("top", "")
        if not text and "top" not in self.request.query_arguments:
            return Wanted.top
        classes = max(len(network.model.labels) for network in self.service.networks) or MAX_LABELS
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= classes):
            raise BodyError(
                f"top={text[:20]} is not a number of classes", accepted={"top": f"1 to {classes}"}
            )
        return int(text)

    def _threshold(self) -> float | None:
        if "threshold" not in self.request.query_arguments:
            return None
        text = self.get_query_argument("threshold")
        score = float(text) if _NUMBER.fullmatch(text) else -1
        if not 0 <= score <= 1:
            raise BodyError(f"threshold={text[:20]} is not a score", accepted={"threshold": "0 to 1"})
        return score
