"""Every error that SplitDNN raises on purpose, as one tree.

    SplitDNNError
    ├── StartupError            the process cannot start: one line on stderr, exit status 2
    │   ├── SettingsError         a flag or variable that is unknown or has a bad value
    │   ├── ModelError            unknown architecture, or weights that are unavailable or do not fit
    │   ├── EngineError           an engine cannot run a half of the network, or its results differ from the reference's
    │   ├── FetchError            the cloud's bundle cannot be had, or is not what the cloud said
    │   ├── MismatchError         the cloud runs another network, or the server is not a SplitDNN cloud
    │   └── SourceError           a video source cannot be opened or read
    │       └── UnusableSourceError waiting for it would not help
    ├── UplinkError             the cloud did not answer a frame, which the edge then answers itself
    ├── ResultsError            records are missing from the results file at the end of the run: exit status 1
    └── RequestError            one request is refused; nothing else is affected
        ├── WireError        400  the bytes are not a frame
        │   ├── LimitError     413  a declared or actual size is above a named limit
        │   ├── CodecError     415  no such codec, or one that does not carry this kind of tensor
        │   ├── ContentError   422  a well-formed frame whose content cannot be used (NaN, wrong size)
        │   ├── ProfileMissingError 424  the frame needs a profile that the cloud lacks: send it, then the frame again
        │   └── StateMissingError 424  the frame needs the frame before it, which the cloud lacks: send a keyframe next
        ├── ProfileContentError 422  the file is not a profile, or not one for this network and split point
        ├── BodyError        400  a JSON body that the endpoint does not accept
        ├── FingerprintError 409  the two sides run different networks
        ├── UnauthenticatedError 401 no token, or none that is known and in force
        ├── ForbiddenError   403  the token does not give the right that this needs
        ├── BundleNotServedError 403 this cloud does not give its network away
        ├── MediaTypeError   415  a Content-Type or Content-Encoding that is not supported
        ├── SplitPointError  422  no such split point
        ├── ShapeError       422  the tensors do not have the shapes that cross at this split point
        ├── UnavailableError 503  starting, or draining before it stops     (a retry may help)
        └── DeadlineError    504  the answer would have been too late

Refusals that protect the cloud, and its clients from each other, are in cloud/access/refusals.py.
Each class has an HTTP `status`, a `reason` (the metrics' label) and whether a retry may help; each instance what would be `accepted`.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable


class SplitDNNError(Exception):
    """Root of the tree. Never raised itself."""


class UplinkError(SplitDNNError):
    """The cloud did not answer a frame; `reason` is one of the edge's fallbacks (edge/metrics.py)."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.retry_after_s: float | None = None  # as the cloud asks, if it does


class StartupError(SplitDNNError):
    """The process cannot start. The message is one line that says what the user can do."""


class SettingsError(StartupError):
    """A flag or a `SPLITDNN_*` variable is unknown or has a bad value."""


class ModelError(StartupError):
    """The architecture is unknown, or its weights are unavailable or do not fit."""


class EngineError(StartupError):
    """An engine cannot run a half of the network, or, if `imprecise`, its results differ by more than is accepted, as they would again."""

    imprecise = False


class FetchError(StartupError):
    """The cloud's bundle cannot be had, or is not what the cloud said; `result` is a value of the metrics' label of that name."""

    def __init__(self, result: str, text: str, *, passing: bool = False) -> None:
        """`passing`: waiting may help, without anybody doing something about it."""
        super().__init__(text)
        self.result = result
        self.passing = passing


class MismatchError(StartupError):
    """The cloud runs another network, or the server is not a SplitDNN cloud."""


class SourceError(StartupError):
    """A video source cannot be opened or read."""


class UnusableSourceError(SourceError):
    """A live source that no waiting makes usable: somebody has to change something first, and start the edge again."""


class ResultsError(SplitDNNError):
    """Records could not be written. The frames themselves were answered."""


class RequestError(SplitDNNError):
    """One request is refused."""

    status: ClassVar[int] = 400
    reason: ClassVar[str] = "bad_request"
    retryable: ClassVar[bool] = False
    retry_after_s = 1  # when a retry may help, if it is retryable

    def __init__(self, message: str, *, accepted: Any = None) -> None:
        super().__init__(message)
        self.accepted = accepted


class WireError(RequestError):
    """The bytes are not a frame."""

    reason = "bad_frame"


class LimitError(WireError):
    """A size is above a named limit."""

    status = 413
    reason = "too_large"


class CodecError(WireError):
    """No such codec, or one that does not carry this kind of tensor."""

    status = 415
    reason = "bad_codec"


class ContentError(WireError):
    """A well-formed frame whose content cannot be used."""

    status = 422
    reason = "bad_content"


class ProfileMissingError(WireError):
    """The frame needs a profile that this side does not have."""

    status = 424
    reason = "profile_missing"
    name = ""  # the profile's


class StateMissingError(WireError):
    """The frame needs the frame before it, which this side does not have: the sender's next one must be a keyframe."""

    status = 424
    reason = "state_missing"


class ProfileContentError(RequestError):
    """The file is not a profile, or not one for this network and split point."""

    status = 422
    reason = "bad_profile"


class BodyError(RequestError):
    """A JSON body that the endpoint does not accept."""

    reason = "bad_body"


class FingerprintError(RequestError):
    """The two sides run different networks, weights or recipes."""

    status = 409
    reason = "fingerprint"


class BundleNotServedError(RequestError):
    """The cloud does not give its network away."""

    status = 403
    reason = "bundle_not_served"


class MediaTypeError(RequestError):
    """A Content-Type or Content-Encoding that is not supported."""

    status = 415
    reason = "media_type"


class SplitPointError(RequestError):
    """No such split point in this network."""

    status = 422
    reason = "split_point"


class ShapeError(RequestError):
    """The tensors are not as many, or not of the shapes, that cross at this split point."""

    status = 422
    reason = "shape"


class UnavailableError(RequestError):
    """The server is starting, or draining before it stops."""

    status = 503
    reason = "unavailable"
    retryable = True


class DeadlineError(RequestError):
    """The answer would have been too late."""

    status = 504
    reason = "deadline"


class UnauthenticatedError(RequestError):
    """Nobody known sent it: there is no token, or none that is known and in force."""

    status = 401
    reason = "unauthenticated"


class ForbiddenError(RequestError):
    """Its sender is known and may not do this."""

    status = 403
    reason = "forbidden"
    name: str | None = None  # its sender's, if it has shown a token of that name


def all_request_errors(root: type[RequestError] = RequestError) -> list[type[RequestError]]:
    """`root` and all its subclasses. The metrics initialise one label value for each."""
    found = [root]
    for child in root.__subclasses__():
        found += all_request_errors(child)
    return found


def suggest(name: str, known: Iterable[str]) -> str:
    """A clause for an error message: the known names closest to `name`, or else the first few."""
    near = difflib.get_close_matches(name, names := list(known), n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(near)}?"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"known: {shown}"
