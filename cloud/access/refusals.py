"""What only a cloud refuses, to protect itself and its clients from each other, or as it has nothing of the kind."""

from __future__ import annotations

from typing import Any

from shared.errors import RequestError


class HeaderError(RequestError):
    """A request's header is longer than is read."""

    status = 431
    reason = "header_too_large"


class SlowBodyError(RequestError):
    """A request's body stops, or comes more slowly than is waited for."""

    status = 408
    reason = "slow_body"
    retryable = True


class OverQuotaError(RequestError):
    """A client has as much under way, or has used as much, as one client may."""

    status = 429
    reason = "over_quota"
    retryable = True

    def __init__(self, message: str, *, accepted: Any = None, retry_after_s: int = 1) -> None:
        """`retry_after_s` seconds from now there may be room."""
        super().__init__(message, accepted=accepted)
        self.retry_after_s = retry_after_s


class DisplacedError(RequestError):
    """The memory for request bodies is full, and this body's sender holds more of it than another client needs."""

    status = 503
    reason = "displaced"
    retryable = True


class AnswerError(RequestError):
    """The answer to this frame would be longer than an edge reads."""

    status = 422
    reason = "answer_too_long"


class BusyError(RequestError):
    """The queue is full."""

    status = 503
    reason = "queue_full"
    retryable = True


class TransfersError(RequestError):
    """Too many files of bundles are being fetched at once."""

    status = 503
    reason = "transfers_full"
    retryable = True


class SessionsError(RequestError):
    """As many sessions are open as there may be."""

    status = 503
    reason = "sessions_full"
    retryable = True


class BrokenError(RequestError):
    """Something went wrong here; the server's log says what."""

    status = 500
    reason = "internal"


class UnknownModelError(RequestError):
    """No network of this name and version runs here."""

    status = 404
    reason = "unknown_model"
