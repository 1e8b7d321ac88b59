"""The only error that the calls of a client raise."""

from __future__ import annotations

from typing import Any

from shared.errors import SplitDNNError

_RETRYABLE = frozenset({"unreachable", "late", "damaged", "queue_full", "unavailable", "deadline"})


class ClientError(SplitDNNError):
    """A call of `Client` failed; the only error that its calls raise."""

    def __init__(self, reason: str, message: str, *, status: int | None = None, accepted: Any = None) -> None:
        super().__init__(message)
        self.reason = reason
        """`unreachable`, `untrusted`, `late`, `damaged`, `not_splitdnn`, `bad_picture`, `bad_frame`, `closed`, or the cloud's own reason for a
        refusal, such as `queue_full` or `fingerprint`."""
        self.status = status
        """HTTP status of a refusal; None if there was no answer."""
        self.accepted = accepted
        """What the cloud would have taken instead, if it says so."""

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later."""
        return self.reason in _RETRYABLE
