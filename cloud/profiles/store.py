"""The profiles that edges have sent, each with the codec that it makes; frames name them by their hash."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

from cloud.bodies.json.body import public_shape
from cloud.profiles.building import build
from cloud.profiles.room import Place, staying
from shared.codecs.base import STATE_BYTES
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.cost import cost_of
from shared.codecs.calibrated.inter.codec import CalibratedInter
from shared.codecs.calibrated.profile import HASH_BYTES
from shared.errors import ContentError, ProfileMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable

    from prometheus_client import Gauge

    from cloud.profiles.building import Held
    from shared.codecs import Codec
    from shared.codecs.calibrated.profile import Profile
    from shared.observing.counting.counter import Counter
    from shared.wire.frame import Frame

_log = logging.getLogger(__name__)

_QUIET_S = 10.0
"""Between two lines of the log about profiles that were dropped."""
_MAX_OWNERS = 256
"""Clients that are noted for one profile. The next ones use it all the same."""


class Profiles:
    """A bounded store in which every client has its share: see `cloud.profiles.room`. For any thread."""

    def __init__(
        self,
        make_codec: Callable[[Profile], Codec] = Calibrated.reader,
        *,
        held: Gauge,
        evicted: Counter,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        """`held` is set to how many profiles there are, `evicted` counts those that were dropped. The clocks return seconds."""
        self._make_codec = make_codec
        self._gauge = held
        self._evicted = evicted
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._lock = Lock()
        self._by_name: dict[str, Held] = {}
        self._places: OrderedDict[str, Place] = OrderedDict()  # least recently used first
        self._listing: bytes | None = None
        self._dropped = 0
        self._quiet_until = float("-inf")

    def add(self, profile: Profile, client: Hashable = None) -> list[str]:
        """Build its codec and keep it for `client`; the names of those that were dropped to make room.

        Raises ProfileContentError if the arrays cannot be used, LimitError if it would cost too much, and OverQuotaError if there is no
        place for it; that is found before anything is built.
        """
        name, held_bytes = profile.name, cost_of(profile).held_bytes
        dropped: list[str] = []
        with self._lock:
            if name not in self._places:
                staying(self._places, client, held_bytes, self._clock())
        held = build(profile, self._make_codec, self._cpu_clock)  # takes long, so not under the lock
        with self._lock:
            if name not in self._places:
                dropped = self._make_room(client, held_bytes)
                self._places[name] = Place(held_bytes, self._clock())
                self._by_name[name] = held
            self._note(name, client)
            self._changed()
        return dropped

    def touch(self, name: str, client: Hashable = None) -> bool:
        """Whether this profile is stored; if so it counts as used, and as sent by `client` too."""
        with self._lock:
            if name not in self._places:
                return False
            self._note(name, client)
            return True

    def codec_of(self, frame: Frame) -> Codec:
        """The codec that decodes this frame, whose codec id must be that of `calibrated` or `calibrated-inter`.

        The latter decodes keyframes; a stream's frames are decoded by one stream of it (`for_stream`). Raises ContentError if the frame names no profile or one for another tensor, and ProfileMissingError if the profile
        is not stored.
        """
        params = frame.tensors[0].params
        inter = frame.tensors[0].codec_id == CalibratedInter.id
        wanted = HASH_BYTES + STATE_BYTES * inter
        if len(params) != wanted:
            raise ContentError(
                f"a frame of this codec names its profile, and {len(params)} bytes of parameters are no name",
                accepted={"parameter_bytes": wanted},
            )
        name = params[:HASH_BYTES].hex()
        held = self._use(name)
        if held is None:
            missing = ProfileMissingError(
                f"this cloud does not have the profile {name}; send it, then the frame again",
                accepted={"put": f"/profiles/{name}"},
            )
            missing.name = name
            raise missing
        profile = held.profile
        if profile.fingerprint != frame.fingerprint:
            raise ContentError(
                f"the profile {name} was fitted to another network (fingerprint {profile.fingerprint.hex()})",
                accepted={"fingerprint": profile.fingerprint.hex()},
            )
        shapes = tuple(tensor.shape for tensor in frame.tensors)
        if (profile.split_point, profile.shapes) != (frame.split_point, shapes):
            raise ContentError(
                f"the profile {name} is for {profile.split_point}, {list(profile.shapes)}, "
                f"the frame crossed at {frame.split_point}, {list(shapes)}",
                accepted={
                    "split_point": profile.split_point,
                    "shape": public_shape(profile.shapes),
                },
            )
        return held.inter if inter else held.codec

    def keep(self, fingerprints: Collection[bytes]) -> None:
        """Drop the profiles of all networks but these."""
        with self._lock:
            for name, held in list(self._by_name.items()):
                if held.profile.fingerprint not in fingerprints:
                    del self._by_name[name], self._places[name]
            self._changed()

    def names(self) -> list[str]:
        """The names of the profiles that frames may use at present, least recently used first."""
        with self._lock:
            return list(self._places)

    def listing(self) -> bytes:
        """What `GET /profiles` says, as JSON: put together once for all who ask, in the order in which they came."""
        with self._lock:
            if self._listing is None:
                said = b", ".join(held.description for held in self._by_name.values())
                self._listing = b'{"profiles": [' + said + b"]}"
            return self._listing

    def describe_one(self, name: str) -> bytes | None:
        """What `GET /profiles/{name}` says, as JSON; None if it is not stored. Asking does not count as use."""
        with self._lock:
            held = self._by_name.get(name)
        return held.description if held else None

    def _use(self, name: str) -> Held | None:
        with self._lock:
            if held := self._by_name.get(name):
                place = self._places[name]
                place.used = place.framed = self._clock()
                self._places.move_to_end(name)
            return held

    def _note(self, name: str, client: Hashable) -> None:
        place = self._places[name]
        place.used = self._clock()
        if len(place.owners) < _MAX_OWNERS:
            place.owners.add(client)
        self._places.move_to_end(name)

    def _make_room(self, client: Hashable, held_bytes: int) -> list[str]:
        now, dropped = self._clock(), []
        owners = staying(self._places, client, held_bytes, now)
        for name, place in list(self._places.items()):
            if name in owners:
                place.owners = owners[name]
                continue
            del self._by_name[name], self._places[name]
            self._evicted.inc()
            dropped.append(name)
            self._dropped += 1
            if now >= self._quiet_until:  # who sends many drops many
                _log.info(
                    "dropped %d profiles to make room for others, the latest is %s", self._dropped, name
                )
                self._dropped, self._quiet_until = 0, now + _QUIET_S
        return dropped

    def _changed(self) -> None:
        self._listing = None
        self._gauge.set(len(self._places))
