"""What the planner knows of the present."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from shared.network.partition import INPUT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.planning.costs.option import Option
    from edge.uplink.link import LinkState


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the planner knows about the link, the cloud and this machine at the moment."""

    link: LinkState
    tails_s: Mapping[str, float] = field(default_factory=dict)
    """The cloud's time for the tail of one frame, by split point; a missing one is taken from this machine's own times."""
    batched_tails_s: Mapping[str, float] = field(default_factory=dict)
    """The same when as many frames arrive together as are under way at once."""
    cloud_wait_s: float = 0.0
    """Time that a frame waits in the cloud's queue."""
    edge_slowdown: float = 1.0
    """How many times slower this machine is than when its options were timed."""
    cloud_slowdown: float = 1.0
    """How many times slower the cloud is than it reported."""
    sizes: Mapping[str, float] = field(default_factory=dict)
    """Payloads of real frames relative to those of the options, by codec."""
    interval_s: float = 0.0
    """Time between two frames of the source; 0 if the source waits for its reader."""
    in_flight: int = 1
    deadline_s: float = math.inf
    keyframe_sizes: Mapping[str, float] = field(default_factory=dict)
    """As `sizes`, of the keyframes of codecs of streams."""
    loss: float = 0.0
    """Share of frames that the cloud does not answer, 0 … 1: a stream goes on with a keyframe after each."""
    has_session: bool = True
    """Whether frames may need the ones before them. Without, each is a keyframe."""
    frame_overhead_bytes: float = 0.0
    """What travels for a frame beside its payload, the answer included: headers of whatever carries it, both ways."""
    bytes_per_s: float = math.inf
    """What the data budget allows to spend from now on, both ways; infinite without one."""
    picture_size: float = 1.0
    """As `sizes`, of codecs for pictures that are not in there: what makes pictures of one codec larger does so to those of others."""
    edge_overlap: float = 1.0
    """The time between two frames of a busy edge, relative to the time that one of them takes there: its steps work on several at once."""
    crowding: float = 1.0
    """Where frames wait for a place under way: the time between two answers, relative to what a frame takes of the slowest of link and cloud.
    Frames meet it in bursts, and what shares its processor takes some of it.
    """
    queue_size: int = 2
    """How many frames may wait for the head, and for the uplink."""
    heads: int = 1
    """How many heads the edge runs at once, each of another frame."""

    def computing_s(self, option: Option, *, batched: bool = False) -> float:
        """The cloud's time for decoding and tail. Its decoding speed is inferred from its computing speed."""
        tails_s = self.batched_tails_s if batched else self.tails_s
        whole_s = self.tails_s.get(INPUT)
        local_s = option.head_s + option.tail_s
        ratio = min(1.0, whole_s / local_s) if whole_s and local_s else 1.0
        tail_s = tails_s.get(option.split_point, self.tails_s.get(option.split_point, option.tail_s))
        return (option.decode_s * ratio + tail_s) * self.cloud_slowdown

    def keyframe_share(self, option: Option) -> float:
        """Which share of an option's frames are keyframes, 0 … 1: one in each interval, and one after each loss."""
        if not option.is_inter:
            return 0.0
        if not self.has_session:
            return 1.0
        loss = min(1.0, max(0.0, self.loss))
        if loss < 1e-9:
            return 1 / option.interval
        # Each stretch ends with its interval or with the first loss in it: this is one over its mean length.
        return loss / -math.expm1(option.interval * math.log1p(-min(loss, 1 - 1e-9)))

    def payload_bytes(self, option: Option) -> float:
        """Mean payload of an option's frames, keyframes among them; 0 if nothing travels."""
        if option.codec is None:
            return 0.0
        share = self.keyframe_share(option)
        unknown = self.picture_size if option.split_point == INPUT else 1.0
        usual = option.frame_bytes * self.sizes.get(option.codec, 1.0 if option.is_inter else unknown)
        keyframe = option.keyframe_bytes * self.keyframe_sizes.get(option.codec, unknown)
        return (1 - share) * usual + share * keyframe

    def first_bytes(self, option: Option) -> float:
        """Payload of the first frame of an option that is not in force: of a stream, a keyframe."""
        first = replace(self, has_session=False) if option.is_inter else self
        return first.payload_bytes(option)

    def wire_bytes(self, option: Option) -> float:
        """What a frame of this option costs in all, both ways; 0 if nothing travels."""
        return 0.0 if option.is_local else self.payload_bytes(option) + self.frame_overhead_bytes
