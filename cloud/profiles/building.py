"""From a profile to what the cloud keeps of it, measured while it is built."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cloud.bodies.json.body import public_shape
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.cost import cost_of
from shared.codecs.calibrated.inter.codec import CalibratedInter
from shared.errors import ContentError, LimitError, WireError
from shared.limits import MAX_DECODE_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.codecs import Codec
    from shared.codecs.calibrated.cost import Cost
    from shared.codecs.calibrated.profile import Profile


@dataclass(frozen=True, eq=False)
class Held:
    """What is kept of one profile: neither its file nor its arrays."""

    profile: Profile
    """Bare: which one it is, and of which tensors."""
    codec: Codec
    cost: Cost
    build_s: float
    """Seconds of a core that building it took."""
    decode_s: float
    """Seconds of a core that decoding its cheapest frame took: one without a payload, of which all symbols are decoded. Where frames may
    follow each other, of a keyframe and of one that follows it what took longer."""
    description: bytes
    """What `GET /profiles` says of it, as JSON."""

    @cached_property
    def inter(self) -> Codec:
        """The codec of frames that follow each other, which shares all that was built. Raises ContentError if the profile is not for it."""
        return CalibratedInter.around(self.codec)


def build(
    profile: Profile, make_codec: Callable[[Profile], Codec], clock: Callable[[], float] = time.thread_time
) -> Held:
    """Build a profile's codec and decode the shortest frame of each kind with it once. `clock` gives the thread's seconds of CPU time.

    Raises ProfileContentError if the arrays cannot be used, and LimitError if it would cost more than a profile may.
    """
    cost = cost_of(profile)
    cost.require_affordable()
    start = clock()
    codec = make_codec(profile)
    built = clock()
    _decode_nothing(codec, profile)
    decode_s = max(clock() - built, _following_s(codec, len(profile.shapes), clock))
    if decode_s > MAX_DECODE_S:
        raise LimitError(
            f"a profile of which one frame takes {decode_s:.1f} s of a core to decode",
            accepted={"max_seconds": MAX_DECODE_S},
        )
    about = {
        "name": profile.name,
        "split_point": profile.split_point,
        "shape": public_shape(profile.shapes),
        "bytes": len(profile.data),
        "held_bytes": cost.held_bytes,
        "decode_ms": round(1e3 * decode_s, 3),
        "about": dict(profile.about),
    }
    return Held(profile.bare(), codec, cost, built - start, decode_s, json.dumps(about).encode())


def _decode_nothing(codec: Codec, profile: Profile) -> None:
    for number, shape in enumerate(profile.shapes):
        params = b"" if number else profile.digest
        with contextlib.suppress(WireError):  # no matter whether an encoder writes that
            codec.of_tensor(number).decode(params, b"", shape)


def _following_s(codec: Codec, count: int, clock: Callable[[], float]) -> float:
    """Seconds for the shortest frame that follows a known one; 0 where the profile says nothing of such."""
    if not isinstance(codec, Calibrated):
        return 0.0
    try:
        inter = CalibratedInter.around(codec)
    except ContentError:
        return 0.0
    tensors = [inter.of_tensor(number) for number in range(count)]
    known = [(tensor, tensor.nothing()) for tensor in tensors if isinstance(tensor, CalibratedInter)]
    start = clock()
    for tensor, history in known:
        with contextlib.suppress(WireError):  # as above
            tensor.decode_nothing(history)
    return clock() - start
