"""The answer to a frame of a session: without what the edge knows already, and in the task's binary form where it has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloud.bodies.outputs import encoded_reply
from cloud.bodies.reply import Composer, Reply

if TYPE_CHECKING:
    from cloud.bodies.frames import Work
    from cloud.networks.network import LoadedNetwork
    from shared.tasks.base import Answer, Task


@dataclass(frozen=True, slots=True)
class SessionComposer(Composer):
    """Composes it, without a digest, as every message of a session has a CRC. For any thread."""

    def written(self, network: LoadedNetwork, task: Task, answer: Answer, work: Work) -> Reply:
        packed = task.pack(answer)
        if packed is not None:
            return Reply(packed, json_bytes=0)
        head = self.head(network, work)
        return Reply(encoded_reply({**head, **answer.fields(), **head}))
