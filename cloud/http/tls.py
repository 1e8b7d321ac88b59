"""The cloud's TLS, made of its settings, and mutual TLS at the door.

With `--client-ca` only a client whose certificate was checked is answered, and charged by its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from shared.errors import UnauthenticatedError
from shared.security.tls.certificate import name_of
from shared.security.tls.context import TLSFiles, server_context
from shared.security.tls.renewal import RenewedContext

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tornado.httputil import HTTPServerRequest

    from cloud.config import CloudSettings
    from cloud.metrics import CloudMetrics

_ACCEPTED = {"certificate": "one signed by a CA of this cloud's --client-ca (an edge's --client-certificate)"}


def tls_of(settings: CloudSettings, metrics: CloudMetrics) -> RenewedContext | None:
    """The TLS of the settings; None without. Raises SettingsError."""
    if not settings.certificate:
        return None
    flags = ("--certificate", "--key", "--client-ca")
    files = TLSFiles(settings.certificate, settings.key, settings.client_ca, flags)
    return RenewedContext(server_context, files, metrics=metrics, certificate="server")


def certified(request: HTTPServerRequest, settings: CloudSettings, *, is_open: bool) -> str | None:
    """Whom a request is charged to by its sender's certificate; None where certificates are not asked for.

    No token's name and no address looks like it. Raises UnauthenticatedError for a client without one, unless what it asks for
    `is_open` to strangers, as the health is. One that is wrong never comes so far: it ends the handshake.
    """
    if not settings.client_ca:
        return None
    found = cast("Mapping[str, object] | None", request.get_ssl_certificate())
    if found:
        return f"certificate:{name_of(found) or ''}"
    if not is_open:
        raise UnauthenticatedError("this cloud answers clients with a certificate only", accepted=_ACCEPTED)
    return None
