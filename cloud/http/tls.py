"""The cloud's TLS, made of its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.security.tls.context import TLSFiles, server_context
from shared.security.tls.renewal import RenewedContext

if TYPE_CHECKING:
    from cloud.config import CloudSettings
    from cloud.metrics import CloudMetrics


def tls_of(settings: CloudSettings, metrics: CloudMetrics) -> RenewedContext | None:
    """The TLS of the settings; None without. Raises SettingsError."""
    if not settings.certificate:
        return None
    flags = ("--certificate", "--key", "--client-ca")
    files = TLSFiles(settings.certificate, settings.key, settings.client_ca, flags)
    return RenewedContext(server_context, files, metrics=metrics, certificate="server")
