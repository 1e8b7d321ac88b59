"""Why a client's connection failed where TLS was the reason, and what its user can do about it."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass

from shared.security.tls.handshakes import reason_of

_UNKNOWN_CA = (18, 19, 20, 21)
_EXPIRED = (10,)
_OTHER_NAME = (62, 63, 64)
"""OpenSSL's X509_V_ERR_…, as `verify_code`."""


_OF_CERTIFICATES = re.compile("certificate|unknown ca")
_DAMAGED = re.compile(
    "bad record mac|bad record type|decode error|decrypt error|unexpected message|record overflow|digest check"
)
_NO_TLS = re.compile("version number|record layer|packet length|not tls")
MAYBE_REFUSED = " (if this happens to every frame, the cloud may not accept this edge's --client-certificate: its log says so)"
"""With TLS 1.3 a client that is refused has begun to send, and may learn of a closed connection only."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a message calls the server, and the settings of this side."""

    server: str = "the cloud"
    url: str = "--cloud-url"
    ca: str = "--ca"
    certificate: str = "--client-certificate"
    clients_ca: str = "--client-ca"


CLOUD = Words()


def problem_of(error: BaseException, *, established: bool = False, words: Words = CLOUD) -> str | None:
    """What is wrong if one side did not accept the other, and what to do about it; None for any other error.

    Bytes that were damaged on their way are another error: anything but a certificate's refusal on an `established` connection,
    and before that what no peer would send.
    """
    cause = _cause(error)
    if cause is None:
        return None
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {cause.verify_message}; {_remedy(cause.verify_code, words)}"
    reason = reason_of(cause)
    if _DAMAGED.search(reason) or (established and not _OF_CERTIFICATES.search(reason)):
        return None
    if "alert" in reason:
        advice = f"; give {words.certificate} one that its {words.clients_ca} has signed"
        return f"it does not accept this edge: {reason}{advice if _OF_CERTIFICATES.search(reason) else ''}"
    return (
        f"no TLS there ({reason}); is it an http:// address?" if _NO_TLS.search(reason) else f"TLS: {reason}"
    )


def _cause(error: BaseException) -> ssl.SSLError | None:
    # aiohttp, which `shared` does not know, keeps it under one of these names.
    for name in ("certificate_error", "os_error", "__cause__"):
        found = getattr(error, name, None)
        if isinstance(found, ssl.SSLError):
            break
    else:
        found = error
    return found if isinstance(found, ssl.SSLError) and not isinstance(found, ssl.SSLEOFError) else None


def _remedy(code: int, words: Words) -> str:
    if code in _UNKNOWN_CA:
        return f"give {words.ca} the file of the CA that has signed it"
    if code in _EXPIRED:
        return f"renew it on {words.server}; if it is new, set this machine's clock"
    if code in _OTHER_NAME:
        return f"give {words.url} a name that it is for"
    return f"compare {words.ca} with the CA that has signed it"
