"""The profiles that edges have sent, each with the codec that it makes; frames name them by their hash."""

from __future__ import annotations

import logging
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from cloud.bodies.json_body import public_shape
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.profile import HASH_BYTES
from shared.errors import ContentError, ProfileMissingError
from shared.limits import MAX_PROFILE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from prometheus_client import Counter, Gauge

    from shared.codecs import Codec
    from shared.codecs.calibrated.profile import Profile
    from shared.wire.frame import Frame

_log = logging.getLogger(__name__)

MAX_PROFILES = 16
"""Edges that share network and split point share a profile, so this bounds the split points in use, not the edges."""
MAX_STORED_BYTES = 2 * MAX_PROFILE_BYTES
"""Bytes of all files together. The codec made of a file takes two or three times as much again, and about 8 bytes for each
element of its tensor: 3 MB for a usual one, 600 MB for all together at worst (VGG's widest tensor, 16 times)."""


class _Held(NamedTuple):
    profile: Profile
    codec: Codec


class Profiles:
    """A bounded store that drops what was not used for longest. For any thread."""

    def __init__(
        self, make_codec: Callable[[Profile], Codec] = Calibrated, *, held: Gauge, evicted: Counter
    ) -> None:
        """`held` is set to how many profiles there are, `evicted` counts those that were dropped."""
        self._make_codec = make_codec
        self._gauge = held
        self._evicted = evicted
        self._lock = Lock()
        self._by_name: OrderedDict[str, _Held] = OrderedDict()  # least recently used first

    def add(self, profile: Profile) -> list[str]:
        """Build its codec and keep both; the names of those that were dropped to make room.

        Raises ProfileContentError if the arrays cannot be used.
        """
        dropped = []
        held = _Held(profile, self._make_codec(profile))  # takes long, so not under the lock
        with self._lock:
            self._by_name[profile.name] = held
            self._by_name.move_to_end(profile.name)
            while len(self._by_name) > MAX_PROFILES or self._stored_bytes() > MAX_STORED_BYTES:
                name, _ = self._by_name.popitem(last=False)
                dropped.append(name)
                self._evicted.inc()
                _log.info("dropped profile %s to make room for %s", name, profile.name)
            self._gauge.set(len(self._by_name))
        return dropped

    def touch(self, name: str) -> bool:
        """Whether this profile is stored; if so it counts as used."""
        return self._use(name) is not None

    def codec_of(self, frame: Frame) -> Codec:
        """The codec that decodes this frame, whose codec id must be that of `calibrated`.

        Raises ContentError if the frame names no profile or one for another tensor, and ProfileMissingError if the profile
        is not stored.
        """
        params = frame.tensors[0].params
        if len(params) != HASH_BYTES:
            raise ContentError(
                f"a frame of this codec names its profile, and {len(params)} bytes of parameters are no name",
                accepted={"parameter_bytes": HASH_BYTES},
            )
        name = params.hex()
        held = self._use(name)
        if held is None:
            raise ProfileMissingError(
                f"this cloud does not have the profile {name}; send it, then the frame again",
                accepted={"put": f"/profiles/{name}"},
            )
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
        return held.codec

    def keep(self, fingerprints: Collection[bytes]) -> None:
        """Drop the profiles of all networks but these."""
        with self._lock:
            for name in [
                name for name, held in self._by_name.items() if held.profile.fingerprint not in fingerprints
            ]:
                del self._by_name[name]
            self._gauge.set(len(self._by_name))

    def names(self) -> list[str]:
        """The names of the profiles that frames may use at present, least recently used first."""
        with self._lock:
            return list(self._by_name)

    def describe(self) -> list[dict[str, Any]]:
        """What `GET /profiles` says of each profile."""
        with self._lock:
            everything = list(self._by_name.values())
        return [_describe(held.profile) for held in everything]

    def describe_one(self, name: str) -> dict[str, Any] | None:
        """What `GET /profiles/{name}` says; None if it is not stored. Asking does not count as use."""
        with self._lock:
            held = self._by_name.get(name)
        return held and _describe(held.profile)

    def _use(self, name: str) -> _Held | None:
        with self._lock:
            held = self._by_name.get(name)
            if held:
                self._by_name.move_to_end(name)
            return held

    def _stored_bytes(self) -> int:
        return sum(len(held.profile.data) for held in self._by_name.values())


def _describe(profile: Profile) -> dict[str, Any]:
    return {
        "name": profile.name,
        "split_point": profile.split_point,
        "shape": public_shape(profile.shapes),
        "bytes": len(profile.data),
        "about": dict(profile.about),
    }
