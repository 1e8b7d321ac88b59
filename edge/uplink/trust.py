"""How far the cloud is believed to be the cloud: the TLS context of the settings, and what is wrong when it is not."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import aiohttp

from shared.security.handshakes import reason_of
from shared.security.renewal import RenewedContext
from shared.security.tls import TLSFiles, client_context

if TYPE_CHECKING:
    from edge.config import EdgeSettings
    from edge.metrics import EdgeMetrics

_UNKNOWN_CA = (18, 19, 20, 21)
_EXPIRED = (10,)
_OTHER_NAME = (62, 63, 64)
"""OpenSSL's X509_V_ERR_…, as `verify_code`."""


MAYBE_REFUSED = " (if this happens to every frame, the cloud may not accept this edge's --client-certificate: its log says so)"
"""With TLS 1.3 a client that is refused has begun to send, and may learn of a closed connection only."""


def files_of(settings: EdgeSettings) -> TLSFiles:
    """The files that the line to the cloud is made of."""
    flags = ("--client-certificate", "--client-key", "--ca")
    return TLSFiles(settings.client_certificate, settings.client_key, settings.ca, flags)


def trust_of(settings: EdgeSettings, metrics: EdgeMetrics) -> RenewedContext | None:
    """What the cloud is checked with; None for one without TLS. Raises SettingsError."""
    if not settings.cloud_url.startswith("https:"):
        return None
    return RenewedContext(client_context, files_of(settings), metrics=metrics, certificate="client")


def context_of(settings: EdgeSettings) -> ssl.SSLContext | None:
    """The same for one request that does not last; None for a cloud without TLS. Raises SettingsError."""
    return client_context(files_of(settings)) if settings.cloud_url.startswith("https:") else None


def problem_of(error: BaseException) -> str | None:
    """What is wrong if one side did not accept the other, and what to do about it; None for any other error."""
    cause = _cause(error)
    if cause is None:
        return None
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {cause.verify_message}; {_remedy(cause.verify_code)}"
    reason = reason_of(cause)
    if "alert" in reason:
        return f"it does not accept this edge: {reason}; give --client-certificate one that its --client-ca has signed"
    return f"no TLS there ({reason}); is it an http:// address?"


def _cause(error: BaseException) -> ssl.SSLError | None:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        found: BaseException | None = error.certificate_error
    elif isinstance(error, aiohttp.ClientConnectorError):
        found = error.os_error
    else:
        found = error if isinstance(error, ssl.SSLError) else error.__cause__
    return found if isinstance(found, ssl.SSLError) and not isinstance(found, ssl.SSLEOFError) else None


def _remedy(code: int) -> str:
    if code in _UNKNOWN_CA:
        return "give --ca the file of the CA that has signed it"
    if code in _EXPIRED:
        return "renew it on the cloud; if it is new, set this machine's clock"
    if code in _OTHER_NAME:
        return "give --cloud-url a name that it is for"
    return "compare --ca with the CA that has signed it"
