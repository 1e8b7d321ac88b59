"""Mutual TLS at the door: with `--client-ca` only a client whose certificate was checked is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import UnauthenticatedError

if TYPE_CHECKING:
    from tornado.httputil import HTTPServerRequest

    from cloud.config import CloudSettings

_ACCEPTED = {"certificate": "one signed by a CA of this cloud's --client-ca (an edge's --client-certificate)"}


def require_certificate(request: HTTPServerRequest, settings: CloudSettings) -> None:
    """Raise UnauthenticatedError if clients need a certificate and this one has none.

    One that is wrong never comes so far: it ends the handshake.
    """
    if settings.client_ca and not request.get_ssl_certificate():
        raise UnauthenticatedError("this cloud answers clients with a certificate only", accepted=_ACCEPTED)
