"""What a cloud shares with the others of its fleet, made of its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloud.profiles.fellows import Fellows
from cloud.profiles.folder import ProfileFolder
from shared.security.tls.context import TLSFiles, client_context
from shared.security.tokens.bearer import Bearer

if TYPE_CHECKING:
    import ssl

    from cloud.config import CloudSettings


def folder_of(settings: CloudSettings, most_bytes: int) -> ProfileFolder | None:
    """The folder that clouds share; None without."""
    return ProfileFolder(settings.profile_folder, most_bytes) if settings.profile_folder else None


def fellows_of(settings: CloudSettings, own: str) -> Fellows | None:
    """The other clouds; None without. `own` is this cloud's id. Raises SettingsError for files that cannot be used."""
    urls = settings.sibling_urls()
    if not urls:
        return None
    by_tls = any(url.startswith("https:") for url in urls)
    flags = ("--certificate", "--key", "--siblings-ca")
    files = TLSFiles(settings.certificate, settings.key, settings.siblings_ca, flags)

    def context() -> ssl.SSLContext | None:
        return client_context(files) if by_tls else None  # anew each time, as certificates are renewed

    context()
    return Fellows(urls, own, Bearer.of_file(settings.siblings_token_file), context)
