"""One setting on many frames: encoded as the edge does, on the wire, decoded as the cloud does, answered by the tail."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from prometheus_client import Counter, Gauge

from bench.rate.promised_bits import PromisedBits
from cloud.bodies.frames import read_frame
from cloud.profiles import Profiles
from shared.codecs import encode_frame, make_codec
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.profile import Profile
from shared.tasks.classify import divergences
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bench.harness.network import Network
    from bench.rate.plan import Setting
    from shared.codecs import Codec
    from shared.engines.half import Half


@dataclass(eq=False)
class Outcome:
    """What was measured, frame by frame."""

    frame_bytes: list[int] = field(default_factory=list)
    """On the wire, the frame's header and parameters included; HTTP's are not."""
    encode_ms: list[float] = field(default_factory=list)
    """CPU time, as `decode_ms`: codecs run on one thread, and whatever else the machine does is not theirs."""
    decode_ms: list[float] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    divergences: list[float] = field(default_factory=list)
    """KL(unsplit || split), nats."""
    promised_bits: list[float] = field(default_factory=list)
    """Of one frame of each call, and the payload's bits that were made of it."""
    coded_bits: list[int] = field(default_factory=list)


class Trial:
    """One setting, ready for frames. Nothing is shared between what encodes and what decodes but the profile's bytes."""

    def __init__(
        self, setting: Setting, network: Network, tail: Half, profile: Profile | None = None
    ) -> None:
        """`profile` is the one that `setting.recipe` asks for."""
        self.setting = setting
        self._network = network
        self._tail = tail
        self._numbers = count()
        self._promised: PromisedBits | None = None
        self._profiles = _empty_store()
        self._codec: Codec
        if profile is None:
            assert setting.spec is not None, "a recipe makes a profile"
            self._codec = make_codec(setting.spec).for_stream()
            return
        self._codec = codec = Calibrated(profile)
        self._promised = PromisedBits(codec, profile)
        self._profiles.add(Profile.from_bytes(profile.data))

    def run(self, arrays: Sequence[NDArray[Any]], unsplit: NDArray[np.float32], outcome: Outcome) -> None:
        """Send what crosses, or pictures at `input`. `unsplit` (n, K) are the logits of the whole network."""
        tensors = [self._send(array, outcome) for array in arrays]
        logits = self._tail(np.concatenate(tensors))
        outcome.classes += logits.argmax(1).tolist()
        outcome.divergences += divergences(unsplit, logits).tolist()
        if self._promised is not None:
            promised, coded = self._promised(arrays[0])
            outcome.promised_bits.append(promised)
            outcome.coded_bits.append(coded)

    def _send(self, array: NDArray[Any], outcome: Outcome) -> NDArray[np.float32]:
        model = self._network.model
        start = time.thread_time()
        frame = encode_frame(
            array,
            self._codec,
            split_point=self.setting.split_point,
            fingerprint=model.fingerprint,
            frame_id=next(self._numbers),
        )
        body = wire.pack(frame)
        encoded = time.thread_time()
        work = read_frame(body, model, self._network.partition, self._profiles)
        decoded = time.thread_time()
        outcome.frame_bytes.append(len(body))
        outcome.encode_ms.append(1e3 * (encoded - start))
        outcome.decode_ms.append(1e3 * (decoded - encoded))
        (tensor,) = work.crossing
        return tensor


def _empty_store() -> Profiles:
    """A cloud's, whose metrics nobody reads."""
    return Profiles(
        held=Gauge("held", "profiles", registry=None), evicted=Counter("evicted", "profiles", registry=None)
    )
