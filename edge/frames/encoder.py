"""From a crossing to what travels, or to why nothing does."""

from __future__ import annotations

import logging
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from edge.frames.stillness import Stillness
from edge.frames.way import Encoded
from shared.codecs import encode_frame
from shared.codecs.video.codec import VideoStream
from shared.errors import WireError
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge.cameras.camera import Camera
    from edge.frames.answering import Circuit
    from edge.frames.way import Crossed
    from edge.metrics import EdgeMetrics
    from edge.planning.plan import Plan
    from edge.uplink.session.room import Room
    from edge.uplink.session.stream import Stream
    from shared.codecs.base import Codec
    from shared.wire.frame import Frame

_log = logging.getLogger(__name__)


class Encoder:
    """Encodes frames, and finds those that hardly differ from an earlier one of their camera. Used by one thread."""

    def __init__(self, cameras: Mapping[str, Camera], circuit: Circuit, metrics: EdgeMetrics) -> None:
        """`cameras` by name."""
        self._cameras = cameras
        self._circuit = circuit
        self._metrics = metrics
        self._stillness: defaultdict[str, WeakKeyDictionary[Plan, Stillness]] = defaultdict(WeakKeyDictionary)
        self._streams: defaultdict[str, WeakKeyDictionary[Plan, Stream]] = defaultdict(WeakKeyDictionary)

    def __call__(self, frame: Crossed) -> Encoded:
        """Never raises: what fails is seen in the result."""
        form = partial(Encoded, frame.origin, frame.edition, frame.plan, frame.explores, frame.crossing)
        with frame.step("encode"):
            if frame.plan.codec is None or not frame.crossing or frame.picture is None:
                return form()
            stillness, tensors = self._stillness_of(frame), [each[0] for each in frame.crossing]
            repeats, changed = stillness.compare(tensors, frame.origin)
            if repeats:
                return form(repeats=repeats, changed=changed)
            if self._circuit.is_open:  # nothing will be sent
                return form(withheld="circuit_open", changed=changed)
            if self._metrics.wire.budget.is_spent:
                return form(withheld="budget", changed=changed)
            stream, room = self._stream_of(frame, frame.plan.codec), _room_of(frame)
            live = self._cameras[frame.origin.camera].live
            if room and stream and not room.admits(stream, self._deadline_s(frame), live=live):
                return form(withheld="late", changed=changed)  # before any state has moved
            sent = [frame.picture] if frame.plan.codec.carries == "picture" else tensors
            codec = stream.codec if stream else frame.plan.codec
            if isinstance(codec, VideoStream):
                codec.offer(frame.own)
            packed = self._pack(frame, codec, sent)
            if packed is None:
                if stream:
                    stream.forget("lost")
                return form(withheld="encode", changed=changed)
            data, whole = packed
            if not self._metrics.wire.budget.claim(len(data)):
                if stream:
                    stream.forget("lost")
                return form(withheld="budget", changed=changed)
            pending = None
            try:
                pending = stillness.sending(tensors, frame.origin)
                size = whole.payload_bytes
                self._metrics.payload_bytes.labels(codec=frame.plan.codec.name).observe(size)
                ticket = room.ticket(stream, whole) if room and stream else None
            except BaseException:
                self._metrics.wire.budget.settle(len(data))
                if stream:
                    stream.forget("lost")
                if pending:  # nobody waits for it yet
                    pending.settle(None, "encode")
                raise
            is_keyframe = ticket is None or ticket.part.is_keyframe
            return form(data, size, is_keyframe, pending=pending, changed=changed, ticket=ticket)
        return form()

    def _stream_of(self, frame: Crossed, codec: Codec) -> Stream | None:
        """That of the frame's camera and plan; None where the uplink keeps no streams."""
        room = _room_of(frame)
        if room is None:
            return None
        seen = self._streams[frame.origin.camera]
        if frame.plan not in seen:
            seen[frame.plan] = room.stream(codec)
        return seen[frame.plan]

    def _deadline_s(self, frame: Crossed) -> float:
        return self._cameras[frame.origin.camera].settings.deadline_s

    def _stillness_of(self, frame: Crossed) -> Stillness:
        """Frames are compared with those of the same camera and plan only; another edition has other plans."""
        camera, plan = self._cameras[frame.origin.camera], frame.plan
        seen = self._stillness[camera.name]
        if plan not in seen:
            seen[plan] = Stillness(plan.codec, camera.settings.still_threshold)
        return seen[plan]

    def _pack(
        self, crossed: Crossed, codec: Codec, sent: Sequence[NDArray[Any]]
    ) -> tuple[bytes, Frame] | None:
        """The frame, for the wire and as it is; None if the codec does not take it."""
        origin, deadline_s = crossed.origin, self._deadline_s(crossed)
        try:
            with origin.watch.step("encode"):
                frame = encode_frame(
                    sent,
                    codec,
                    split_point=crossed.plan.split_point.name,
                    fingerprint=crossed.edition.model.fingerprint,
                    frame_id=origin.frame_id,
                    capture_time_ns=origin.captured_ns,
                    deadline_ms=max(1, round(1e3 * deadline_s)),  # 0 would be no limit
                )
                return wire.pack(frame), frame
        except WireError as error:
            _log.warning("%s cannot travel as %s: %s", origin, codec.name, error)
        except Exception:  # noqa: BLE001 - the edge answers this frame, the others go on
            _log.exception("the encode step failed on %s", origin)
        return None


def _room_of(frame: Crossed) -> Room | None:
    return frame.edition.streams.room if frame.edition.streams else None
