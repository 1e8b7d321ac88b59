"""Everything SplitDNN refuses, as one tree.

    SplitDNNError
    ├── StartupError            the process cannot start: one line on stderr, exit status 2
    │   ├── SettingsError         a flag or variable that is unknown or has a bad value
    │   ├── ModelError            unknown architecture, weights that cannot be had or do not fit
    │   ├── EngineError           an engine cannot run a half of the network, or gives other numbers than torch
    │   ├── MismatchError         the cloud runs another network, or is no SplitDNN cloud at all
    │   └── SourceError           a video source that cannot be opened or read
    ├── ResultsError            records are missing from the results file, at the end of the run: exit status 1
    └── RequestError            one request is refused, nothing else is lost
        ├── WireError        400  these bytes are not a frame
        │   ├── LimitError     413  a declared or actual size is above a named limit
        │   ├── CodecError     415  no such codec, or not one for this kind of tensor
        │   ├── ContentError   422  a well-formed frame whose content cannot be used (NaN, wrong size)
        │   └── ProfileMissingError 424  the frame needs a profile that is not here: send it, then the frame again
        ├── ProfileContentError 422  a file that is no profile, or not one for this network and split point
        ├── BodyError        400  a JSON body that is not what the endpoint takes
        ├── FingerprintError 409  the two sides run different networks
        ├── MediaTypeError   415  a Content-Type or Content-Encoding that is not spoken here
        ├── SplitPointError  422  no such split point
        ├── ShapeError       422  the tensor is not the one that crosses at this split point
        ├── BusyError        503  the queue is full                        (a retry can help)
        ├── UnavailableError 503  starting, or draining before the end      (a retry can help)
        └── DeadlineError    504  the answer would have come too late

Each class knows its HTTP `status`, its `reason` (the value of the metrics' label) and whether a retry of the
same request can help; each instance carries `accepted`: what would have been taken instead.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable


class SplitDNNError(Exception):
    """Root of the tree; never raised itself."""


class StartupError(SplitDNNError):
    """The process cannot start. The message is one line that says what to do."""


class SettingsError(StartupError):
    """A flag or a `SPLITDNN_*` variable is unknown or has a bad value."""


class ModelError(StartupError):
    """The architecture is unknown, or its weights cannot be had or do not fit."""


class EngineError(StartupError):
    """An engine cannot run a half of the network, or its answers differ from torch's by more than is accepted."""


class MismatchError(StartupError):
    """The cloud runs another network, or is no SplitDNN cloud at all."""


class SourceError(StartupError):
    """A video source cannot be opened or read."""


class ResultsError(SplitDNNError):
    """Records could not be written; the frames were answered all the same."""


class RequestError(SplitDNNError):
    """One request is refused."""

    status: ClassVar[int] = 400
    reason: ClassVar[str] = "bad_request"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, accepted: Any = None) -> None:
        super().__init__(message)
        self.accepted = accepted


class WireError(RequestError):
    """These bytes are not a frame."""

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


class ProfileContentError(RequestError):
    """A file that is no profile, or not one for this network and split point."""

    status = 422
    reason = "bad_profile"


class BodyError(RequestError):
    """A JSON body that is not what the endpoint takes."""

    reason = "bad_body"


class FingerprintError(RequestError):
    """The two sides run different networks, weights or recipes."""

    status = 409
    reason = "fingerprint"


class MediaTypeError(RequestError):
    """A Content-Type or Content-Encoding that is not spoken here."""

    status = 415
    reason = "media_type"


class SplitPointError(RequestError):
    """No such split point in this network."""

    status = 422
    reason = "split_point"


class ShapeError(RequestError):
    """The tensor is not the one that crosses at this split point."""

    status = 422
    reason = "shape"


class BusyError(RequestError):
    """The queue is full."""

    status = 503
    reason = "queue_full"
    retryable = True


class UnavailableError(RequestError):
    """The server is starting, or draining before its end."""

    status = 503
    reason = "unavailable"
    retryable = True


class DeadlineError(RequestError):
    """The answer would have come too late."""

    status = 504
    reason = "deadline"


def all_request_errors(root: type[RequestError] = RequestError) -> list[type[RequestError]]:
    """Every class of the tree below `root`, itself included: the metrics' label values come from here."""
    found = [root]
    for child in root.__subclasses__():
        found += all_request_errors(child)
    return found


def suggest(name: str, known: Iterable[str]) -> str:
    """A clause for an error message: the known names nearest to `name`, or the first few of them."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(near)}?"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"known: {shown}"
