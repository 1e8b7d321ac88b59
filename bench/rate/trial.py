"""One setting on many frames: encoded as the edge does, on the wire, decoded as the cloud does, answered by the tail."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from prometheus_client import Gauge

from cloud.bodies.frames import read_frame
from cloud.profiles.store import Profiles
from shared.codecs import encode_frame, make_codec
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.entropy import SCALE
from shared.codecs.calibrated.profile import Part, Profile
from shared.observing.counting.counter import Counter
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
    """What one setting did to one set of pictures, frame by frame."""

    setting: Setting
    unsplit: NDArray[np.intp]  # (n,), the unsplit network's top classes
    labels: NDArray[np.intp]  # (n,), the right classes
    frame_bytes: list[int] = field(default_factory=list)
    """On the wire, the frame's header and parameters included; HTTP's are not."""
    encode_ms: list[float] = field(default_factory=list)
    """CPU time, as `decode_ms`: codecs run on one thread, and the rest of the machine's work is not theirs."""
    decode_ms: list[float] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    divergences: list[float] = field(default_factory=list)
    """KL(unsplit || split), nats."""
    promised_bits: list[float] = field(default_factory=list)
    """For one frame of each batch; `coded_bits` are the bits of the same frame's payload."""
    coded_bits: list[int] = field(default_factory=list)

    @property
    def mean_bytes(self) -> float:
        return statistics.mean(self.frame_bytes)

    @property
    def agrees(self) -> NDArray[np.float64]:  # (n,), 100 or 0
        return np.where(np.array(self.classes) == self.unsplit, 100.0, 0.0)

    @property
    def agreement(self) -> float:
        """Percent."""
        return float(self.agrees.mean())

    @property
    def top1_change(self) -> NDArray[np.float64]:  # (n,), 100, 0 or -100
        split, whole = (np.where(each == self.labels, 100.0, 0.0) for each in (self.classes, self.unsplit))
        return split - whole


class Trial:
    """One setting, ready for frames. Encoder and decoder share nothing but the profile's bytes."""

    def __init__(
        self, setting: Setting, network: Network, tail: Half, profile: Profile | None = None
    ) -> None:
        """`profile` is the one that was fitted by `setting.preset`."""
        self.setting = setting
        self._network = network
        self._tail = tail
        self._numbers = count()
        self._promised: PromisedBits | None = None
        # A cloud's store, with metrics that nothing reads.
        self._profiles = Profiles(
            held=Gauge("held", "profiles", registry=None),
            evicted=Counter("evicted", "profiles", registry=None),
        )
        self._codec: Codec
        if profile is None:
            assert setting.spec is not None, "a preset makes a profile"
            self._codec = make_codec(setting.spec).for_stream()
            return
        self._codec = codec = Calibrated(profile)
        self._promised = PromisedBits(codec, profile.of_tensor(0))
        self._profiles.add(Profile.from_bytes(profile.data))

    def run(self, arrays: Sequence[NDArray[Any]], unsplit: NDArray[np.float32], outcome: Outcome) -> None:
        """Send crossings, or pictures at `input`. `unsplit` (n, K) are the logits of the whole network."""
        tensors = [self._send(array, outcome) for array in arrays]
        logits, *_ = self._tail((np.concatenate(tensors),))
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
            [array],
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


class PromisedBits:
    """Computes the bits that a profile's models predict for one tensor; a perfect coder would need exactly these."""

    def __init__(self, codec: Calibrated, part: Part) -> None:
        arrays = part.arrays
        self._codec = codec
        self._passes = codec.in_numpy.coder.passes
        self._not_zero = arrays["ladder"].astype(np.float64) / SCALE
        self._magnitudes = None
        if "magnitudes" in arrays:
            tables = arrays["magnitudes"]
            self._magnitudes = tables.reshape(-1, tables.shape[-1]).astype(np.float64) / SCALE

    def __call__(self, tensor: NDArray[np.float32]) -> tuple[float, int]:
        """Bits that are promised for this tensor, and those of the payload that the coder makes of it."""
        encoded, symbols = self._codec.encode_symbols(tensor)
        magnitudes = symbols.magnitudes.reshape(-1, symbols.magnitudes.shape[2])
        bits = 0.0
        for one_pass in self._passes:
            values = magnitudes[one_pass.positions, one_pass.first : one_pass.last].ravel()
            probable = self._not_zero[self._codec.in_numpy.coder.contexts.classes(one_pass, symbols.canvas)]
            bits -= np.log2(np.where(values > 0, probable, 1 - probable)).sum()
            coded = np.flatnonzero(values)
            if self._magnitudes is not None:
                tables = self._codec.in_numpy.coder.tables(one_pass, symbols.magnitudes)[coded]
                bits -= np.log2(self._magnitudes[tables, values[coded].astype(np.intp) - 1]).sum()
            if symbols.negative is not None:
                bits += len(coded)
        return float(bits), 8 * len(encoded.payload)
