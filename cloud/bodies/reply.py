"""From a frame's outputs to the bytes that answer it and their digest, in one pass."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from cloud.bodies.outputs import are_finite, encoded_reply, numbers_in
from shared.errors import ContentError
from shared.wire.http import content_digest

if TYPE_CHECKING:
    from cloud.access.clients import Account
    from cloud.bodies.frames import Work
    from cloud.networks.network import LoadedNetwork
    from cloud.networks.networks import Networks
    from shared.engines.half import Tensors
    from shared.observing.counting.counter import Counter
    from shared.observing.telemetry import Stopwatch
    from shared.tasks.base import Answer, Task
    from shared.tasks.spec import Wanted

QUICK_NUMBERS = 1 << 12
"""The answer in outputs of more numbers than this is made on a thread of its own: a detector's, of many boxes, takes milliseconds."""


class Reply(NamedTuple):
    """JSON, or JSON and tensors, and its digest as `Content-Digest` has it (RFC 9530): TCP's checksum lets one damage in 65,536 pass."""

    body: bytes
    digest: str | None = None
    """None for what is no answer to a frame."""
    json_bytes: int | None = None
    """How many of the bytes are JSON, where tensors follow."""


@dataclass(frozen=True, slots=True)
class Composer:
    """Composes the answer to one frame. For any thread."""

    cpu: Counter
    """Counts processor time by step."""
    account: Account
    """Is charged for it."""
    watch: Stopwatch
    wanted: Wanted
    networks: Networks
    received: dict[str, float]
    """What is said of how the body came."""

    def is_quick(self, outputs: Tensors) -> bool:
        """Whether the answer takes less than a millisecond."""
        return numbers_in(outputs) <= QUICK_NUMBERS

    def compose(self, network: LoadedNetwork, work: Work, outputs: Tensors) -> Reply:
        """The answer in the outputs for one frame or picture, each (1, …), which are finite. Raises ContentError or AnswerError."""
        start_s = time.perf_counter()
        with self.account.computing(self.cpu, "top"):
            task = network.task(self.wanted)
            try:
                answer = task.answer(tuple(each[0] for each in outputs))
                if work.source:
                    answer = answer.in_picture(network.model.recipe, work.source)
            finally:
                self.watch.note("top", time.perf_counter() - start_s)
            return self.written(network, task, answer, work)

    def written(self, network: LoadedNetwork, task: Task, answer: Answer, work: Work) -> Reply:
        """The answer as this sender is told it. Raises AnswerError."""
        head = {"frame_id": work.frame_id, **self.head(network, work)}
        del task
        told = {"stages_ms": self.watch.milliseconds(), "received": self.received}
        # A task of another package may choose any names; ours win.
        body = encoded_reply({**head, **answer.fields(), **head, **told})
        return Reply(body, content_digest(body))

    def head(self, network: LoadedNetwork, work: Work) -> dict[str, Any]:
        """What every answer says."""
        return {
            "fingerprint": self.networks.current.model.fingerprint.hex(),
            "split_point": work.split_point,
            "task": network.model.task.name,
        }


def require_finite(outputs: Tensors) -> None:
    """Raise ContentError if one of the outputs is NaN or infinite."""
    if not are_finite(outputs):
        raise ContentError("the network's answer to this tensor is not finite: its values are too large")
