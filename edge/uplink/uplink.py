"""Sends the frames of one network to the cloud: in time, if the circuit allows it, with the profile that decodes them."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edge.uplink.asking.asking import Asking
from edge.uplink.asking.question import Question, frame_path
from edge.uplink.asking.streaming import Streaming
from edge.uplink.greeting import Offer, SameLabels, ask_tail_times, mismatch
from edge.uplink.profiles.uploads import ProfileUploads
from edge.uplink.session.room import Door
from edge.uplink.session.sessions import Sessions
from shared.codecs.calibrated.codec import Calibrated
from shared.errors import MismatchError, UplinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edge.metrics import EdgeMetrics
    from edge.uplink.circuit import Circuit
    from edge.uplink.line import Line
    from edge.uplink.link import Link
    from edge.uplink.reply import Reply
    from edge.uplink.session.stream import Ticket
    from shared.codecs.base import Codec
    from shared.codecs.calibrated.profile import Profile
    from shared.network.model import Model
    from shared.tasks.base import Task
    from shared.tasks.spec import Wanted

_log = logging.getLogger(__name__)

_HARMLESS = ("profile", "circuit_open", "state", "budget")
_UNKNOWN_SPEED = "the cloud does not say how fast it is%s; its speed is taken from its answers"


class Uplink:
    """Asks the cloud about the frames of one network, within a deadline, unless the circuit is open."""

    def __init__(
        self,
        line: Line,
        model: Model,
        task: Task,
        metrics: EdgeMetrics,
        *,
        wanted: Wanted,
        profiles: Iterable[Profile] = (),
        wait_for_profiles: bool = True,
        follows: bool = False,
    ) -> None:
        """`line` must be open. `wanted` is asked of the answers: at most as many classes as the network has.

        `profiles` are those of the codecs: each is brought to the cloud whenever the cloud does not have it.
        `wait_for_profiles`: whether `check` waits until the cloud has them. `follows`: if the cloud runs another network, the
        edge is going to take that, so that it is no mistake of the user.
        """
        self._line = line
        self._client = line.client
        self._model = model
        self._task = task
        self._metrics = metrics
        self._path = frame_path(model, wanted)
        self._sessions = Sessions(line, model.fingerprint, metrics.session)
        self._streaming = Streaming(line, self._sessions, metrics)
        line.sessions.append(self._sessions)
        line.follows = follows
        self._labels = SameLabels(model.labels)
        self._uploads = ProfileUploads(
            profiles,
            self._client,
            metrics.fleet,
            wait=wait_for_profiles,
            patience_s=line.deadline_s,
        )
        self._takers: list[Callable[[dict[str, Any]], bool]] = []
        self._following: asyncio.Task[None] | None = None
        self._greeted = asyncio.Event()
        self._offer = Offer()

    @property
    def circuit(self) -> Circuit:
        """The line's circuit breaker."""
        return self._line.circuit

    @property
    def link(self) -> Link:
        """What is known of the line's link."""
        return self._line.link

    @property
    def has_session(self) -> bool:
        """Whether frames go over a session now, so that one may need the one before it."""
        return self._sessions.is_there

    @property
    def frame_overhead_bytes(self) -> float:
        """What a frame costs on the wire beside its payload now, its answer included."""
        return self._line.overhead.session if self.has_session else self._line.overhead.http

    def retire(self) -> None:
        """Another network is taken: ask no more for tail times. Frames under way may still be sent."""
        if self._following:
            self._following.cancel()

    async def close(self) -> None:
        """End what goes on beside the frames."""
        self.retire()
        if self._following:
            await asyncio.gather(self._following, return_exceptions=True)
        await self._uploads.close()
        if self._sessions in self._line.sessions:
            self._line.sessions.remove(self._sessions)
        await self._sessions.close()

    async def check(self, *, hurry: bool = True) -> None:
        """Compare both sides once, before the first frame, and bring the profile if there is one. `hurry`: that frame waits for it.

        Raises MismatchError if the cloud runs something else. A cloud that is away is not an error: the circuit opens, and
        the edge answers until the cloud is back.
        """
        try:
            await self.greet(hurry=hurry)
        except UplinkError as error:
            self.circuit.open(f"no cloud at {self._client.url} ({error})")

    def can_answer(self, split_point: str, codec: Codec | None) -> bool:
        """Whether the cloud has this split point and codec, and its profile if it has one, as far as is known; true for None."""
        if codec is None:
            return True
        profile = codec.profile if isinstance(codec, Calibrated) else None
        return self.decodes(split_point, codec.name) and self.has(profile)

    def decodes(self, split_point: str, codec: str | int) -> bool:
        """Whether the cloud has this split point and codec, by its name or id, as far as is known."""
        return self._offer.decodes(split_point, codec)

    def has(self, profile: Profile | None) -> bool:
        """Whether the cloud has this profile, one of those given at the start, as far as is known; true for None."""
        upload = self._uploads.of(profile)
        return upload is None or upload.is_there

    async def bring(self, profile: Profile) -> None:
        """Bring the cloud a profile that it lacks, however long that takes. Raises UplinkError if it went away, or has just refused that."""
        await self._uploads.bring(profile)

    def take_over(self) -> None:
        """From now on it is by this network that the cloud is asked whether it is back."""
        self._line.probe_with(self.greet)

    def question(self, wanted: Wanted, task: Task, deadline_s: float, camera: str = "") -> Question:
        """What is asked about a frame whose answer is to be this, read by `task`, within `deadline_s`."""
        return Question(frame_path(self._model, wanted), task, deadline_s, camera)

    def room(self, question: Question) -> Door:
        """What the encoder asks before it encodes a frame with this question."""
        return Door(self._sessions, self._line.flow, self._metrics.session, question.query)

    def asking(self, wanted: Wanted, task: Task, deadline_s: float, camera: str = "") -> Asking:
        """The way to the cloud for frames whose answers are to be these, read by `task`, within `deadline_s`."""
        question = self.question(wanted, task, deadline_s, camera)
        return Asking(self, question, self.room(question))

    async def ask(
        self,
        frame: bytes,
        profile: Profile | None = None,
        question: Question | None = None,
        ticket: Ticket | None = None,
    ) -> Reply:
        """Send one frame and wait for the answer, at most for the deadline. Raises UplinkError.

        `profile`, one of those given at the start, is what the cloud decodes the frame with; `question`: other answers than
        were wanted at the start; `ticket`: of the encoder, which `room` has given it.
        """
        question = question or Question(self._path, self._task, self._line.deadline_s)
        upload, start = self._uploads.of(profile), time.monotonic()
        if upload:
            upload.require_hope()
        if not self.circuit.allows():
            raise UplinkError("circuit_open", "the circuit is open")
        era = self.circuit.era
        try:
            with self._metrics.in_flight.track_inprogress():
                async with self._line.in_time(question.deadline_s):
                    reply = await self._streaming.ask(frame, upload, question, ticket)
        except UplinkError as error:
            if upload and error.reason == "late" and upload.took_time_since(start):
                error.reason = "profile"  # its upload took this frame's time; the cloud is not to blame
            late, patient = error.reason == "late", question.deadline_s >= self._line.deadline_s
            if error.reason in _HARMLESS or (late and not (patient and self._sessions.doubts(question))):
                # The cloud answers, and a cool-down would not help; or it may still answer those who wait longer.
                self.circuit.released(era)
            else:
                self.circuit.failed(f"{error.reason}: {error}", era, start if late else None)
            raise
        except BaseException:
            self.circuit.released(era)
            raise
        self.circuit.succeeded()
        return replace(reply, address=self._line.name)

    async def greet(self, *, hurry: bool = False) -> None:
        """Check that the cloud is up and serves this network, and upload the profiles that it does not have. `hurry`: something waits for it.

        Raises UplinkError, or MismatchError if another network or task runs there that the edge is not going to take.
        """
        said = await self._line.ask_model(hurry=hurry)
        if problem := mismatch(said, self._client.url, self._model, self._task):
            raise UplinkError("refused", problem) if self._line.follows else MismatchError(problem)
        # Not an earlier one that it still serves.
        if is_current := said["fingerprint"] == self._model.fingerprint.hex():
            self._labels.compare(said)
        self._offer.take(said, is_current=is_current)
        await self._uploads.greet(said)
        self._sessions.greeted(said)
        if not self._line.is_greeted:  # so that there is one before the first frame
            self._sessions.of(Question(self._path, self._task, self._line.deadline_s))
        self._line.is_greeted = True
        self._greeted.set()

    def follow_tail_times(self, take: Callable[[dict[str, Any]], bool]) -> None:
        """From now on, pass the cloud's tail times to `take` as well whenever the cloud has been greeted.

        `take` is given the answer of `tail_times`, and says whether it could be used.
        """
        self._takers.append(take)
        if self._following is None:
            self._following = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        while True:
            await self._greeted.wait()
            try:
                said = await self.tail_times()
                if not all([take(said) for take in self._takers]):  # noqa: C419 - each of them is told
                    _log.info(_UNKNOWN_SPEED, "")
            except UplinkError as error:
                _log.info(_UNKNOWN_SPEED, f" ({error})")
            self._greeted.clear()  # the cloud was asked since

    async def tail_times(self) -> dict[str, Any]:
        """The cloud's answer to `GET /tail-times`; empty if it has none for this network. Raises UplinkError."""
        return await ask_tail_times(self._client, self._model)
