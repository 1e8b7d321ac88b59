"""The only error that the calls of a client raise."""

from __future__ import annotations

from typing import Any

from shared.errors import SplitDNNError

_RETRYABLE = frozenset(
    {
        # no answer, or none that counts
        *("unreachable", "late", "damaged", "deadline"),
        # the cloud's refusals that say when to come again
        *(
            "over_quota",
            "slow_body",
            "displaced",
            "queue_full",
            "transfers_full",
            "sessions_full",
            "unavailable",
        ),
    }
)


class ClientError(SplitDNNError):
    """A call of `Client` failed; the only error that its calls raise."""

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        status: int | None = None,
        accepted: Any = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        """`unreachable`, `untrusted`, `late`, `damaged`, `not_splitdnn`, `bad_picture`, `bad_frame`, `closed`, or the cloud's own reason for a
        refusal, such as `queue_full` or `fingerprint`."""
        self.status = status
        """HTTP status of a refusal; None if there was no answer."""
        self.accepted = accepted
        """What the cloud would have taken instead, if it says so."""
        self.retry_after_s = retry_after_s
        """Seconds after which there may be room, if the cloud says so."""

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later."""
        return self.reason in _RETRYABLE
