"""Sends the frames of one network to the cloud: in time, if the circuit allows it, with the profile that decodes them."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from edge.uplink.client import BrokenError, Reply, frame_path, mismatch, parse_json, reply_of
from edge.uplink.profiles import ProfileUploads
from edge.uplink.same_labels import SameLabels
from shared.errors import MismatchError, UplinkError
from shared.wire.http import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edge.metrics import EdgeMetrics
    from edge.uplink.circuit import Circuit
    from edge.uplink.line import Line
    from edge.uplink.link import Link
    from edge.uplink.profiles import ProfileUpload
    from shared.codecs.base import Codec
    from shared.codecs.calibrated.profile import Profile
    from shared.network.model import Model
    from shared.tasks.base import Task
    from shared.tasks.spec import Wanted

_log = logging.getLogger(__name__)

_DEADLINE_SHARE = 0.9
"""Share of the deadline after which an abandoned frame shows that the link or the cloud was too slow for it."""
_MEASURING_S = 60.0
"""The cloud measures its tails when it is first asked for their times, and answers after that."""
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
        self._follows = follows
        self._path = frame_path(model, wanted)
        self._labels = SameLabels(model.labels)
        self._uploads = ProfileUploads(
            profiles,
            self._client.put_profile,
            metrics.profile_uploads,
            wait=wait_for_profiles,
            patience_s=line.deadline_s,
        )
        self._following: asyncio.Task[None] | None = None
        self._greeted = asyncio.Event()
        self._offered: frozenset[str] | None = (
            None  # a cloud up to 0.6.0 has no split points of several tensors
        )

    @property
    def circuit(self) -> Circuit:
        """The line's circuit breaker."""
        return self._line.circuit

    @property
    def link(self) -> Link:
        """What is known of the line's link."""
        return self._line.link

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

    async def check(self) -> None:
        """Compare both sides once, before the first frame, and bring the profile if there is one.

        Raises MismatchError if the cloud runs something else. A cloud that is away is not an error: the circuit opens, and
        the edge answers until the cloud is back.
        """
        try:
            await self.greet()
        except UplinkError as error:
            self.circuit.open(f"no cloud at {self._client.url} ({error})")

    def can_answer(self, split_point: str, codec: Codec | None) -> bool:
        """Whether the cloud has this split point and codec, and its profile if it has one, as far as is known; true for None."""
        offered = self._offered is None or split_point in self._offered
        return codec is None or (offered and self._uploads.serve(codec))

    async def ask(self, frame: bytes, profile: Profile | None = None) -> Reply:
        """Send one frame and wait for the answer, at most for the deadline. Raises UplinkError.

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
                async with self._line.in_time():
                    reply = await self._exchange(frame, upload)
        except UplinkError as error:
            if upload and error.reason == "late" and upload.took_time_since(start):
                error.reason = "profile"  # its upload took this frame's time; the cloud is not to blame
            if error.reason in ("profile", "circuit_open"):
                self.circuit.released(era)  # the cloud answers, and a cool-down would not help
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

    async def _exchange(self, frame: bytes, upload: ProfileUpload | None) -> Reply:
        """Post the frame and read the answer.

        The frame is posted once more if the connection breaks before there is an answer (it may then be answered twice), and
        once more, after its profile was brought, if the cloud does not have that.
        """
        if upload:
            await upload.ready()
        taken = upload.taken if upload else 0
        may_retry = may_bring = True
        while True:
            number, start = self.link.sent(len(frame)), time.perf_counter()
            connection: dict[str, bool] = {}
            try:
                status, body = await self._client.request(
                    "POST", self._path, 2 * self._line.deadline_s, connection, data=frame, headers={"Content-Type": CONTENT_TYPE}
                )  # fmt: skip
                reply = await reply_of(status, body, self._task)
            except asyncio.CancelledError:
                waited_s = time.perf_counter() - start
                self.link.gave_up(number, at_deadline=waited_s >= _DEADLINE_SHARE * self._line.deadline_s)
                raise
            except BaseException as error:
                self.link.gave_up(number)
                if isinstance(error, BrokenError) and may_retry:
                    may_retry = False
                    _log.debug("sending a frame once more: %s", error)
                    self._metrics.retries.inc()
                elif isinstance(error, UplinkError) and error.reason == "profile" and upload and may_bring:
                    may_retry, may_bring = True, False
                    if upload.taken == taken:
                        await upload.bring(self._line.deadline_s)
                else:
                    raise
            else:
                fresh = connection.get("fresh", False)
                self._learn(number, len(frame), reply, start, fresh=fresh)
                return reply

    def _learn(self, number: int, size: int, reply: Reply, start: float, *, fresh: bool) -> None:
        """Tell the link about an answered frame, and export the estimate; `start` is by time.perf_counter."""
        self._line.heard.note(reply.fingerprint)
        receive_s = reply.steps_ms.get("receive", 0.0) / 1e3
        computing_s = sum(reply.steps_ms.values()) / 1e3 - receive_s
        self.link.answered(
            number, receive_s=receive_s, computing_s=computing_s, fresh=fresh, received=reply.received
        )
        on_the_way_s = time.perf_counter() - start - computing_s
        metrics, state = self._metrics, self.link.state
        if on_the_way_s > 0:
            metrics.uplink_throughput.set(size / on_the_way_s)
        metrics.link_throughput.set(state.bytes_per_s)
        metrics.link_round_trip.set(state.round_trip_s)
        metrics.cloud_queue_wait.set(reply.steps_ms.get("queue", 0.0) / 1e3)

    async def greet(self) -> None:
        """Check that the cloud is up and serves this network, and upload the profiles that it does not have.

        Raises UplinkError, or MismatchError if another network or task runs there that the edge is not going to take.
        """
        said = await self._line.ask_model()
        if problem := mismatch(said, self._client.url, self._model, self._task):
            raise UplinkError("refused", problem) if self._follows else MismatchError(problem)
        if said["fingerprint"] == self._model.fingerprint.hex():  # not an earlier one that it still serves
            self._labels.compare(said)
            points = said.get("split_points")
            self._offered = frozenset(points) if isinstance(points, dict) else None
        await self._uploads.greet(said)
        self._greeted.set()

    def follow_tail_times(self, take: Callable[[dict[str, Any]], bool]) -> None:
        """From now on, pass the cloud's tail times to `take` whenever the cloud has been greeted.

        `take` is given the answer of `tail_times`, and says whether it could be used.
        """
        self._following = asyncio.create_task(self._follow(take))

    async def _follow(self, take: Callable[[dict[str, Any]], bool]) -> None:
        while True:
            await self._greeted.wait()
            try:
                if not take(await self.tail_times()):
                    _log.info(_UNKNOWN_SPEED, "")
            except UplinkError as error:
                _log.info(_UNKNOWN_SPEED, f" ({error})")
            self._greeted.clear()  # the cloud was asked since

    async def tail_times(self) -> dict[str, Any]:
        """The cloud's answer to `GET /tail-times`; empty if it has none for this network. Raises UplinkError."""
        status, body = await self._client.request("GET", "/tail-times", _MEASURING_S)
        if status == 404:  # an older cloud
            status, body = await self._client.request("GET", "/profile", _MEASURING_S)
        said = parse_json(body) if status == 200 else {}
        return said if said.get("fingerprint") == self._model.fingerprint.hex() else {}
