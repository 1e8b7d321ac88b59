"""TLS from files, for both sides: what is wrong with a file is said in one line.

At least TLS 1.2, with the ciphers that Python and OpenSSL take by themselves. Nothing is read from the environment: a variable that
OpenSSL's tools know, SSLKEYLOGFILE, would write down what decrypts every frame.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from shared.errors import SettingsError
from shared.limits import MAX_CERTIFICATES_BYTES
from shared.security.tls.certificate import expiry_of


@dataclass(frozen=True, slots=True)
class TLSFiles:
    """The files of one side, in PEM form. Each is named in errors by the flag that gave it."""

    certificate: str | None = None
    """The side's own certificate, followed by those between it and its CA; the key may be in it as well."""
    key: str | None = None
    authority: str | None = None
    """CAs, one of which must have signed the other side's certificate."""
    flags: tuple[str, str, str] = ("--certificate", "--key", "--ca")

    @property
    def paths(self) -> tuple[str, ...]:
        """Those that are given."""
        return tuple(path for path in (self.certificate, self.key, self.authority) if path)

    def expiry(self) -> float:
        """When the side's own certificate expires, in seconds since 1970; 0 without one. Raises SettingsError."""
        if self.certificate is None:
            return 0.0
        try:
            return expiry_of(_read(self.certificate, self.flags[0]))
        except ValueError as error:
            raise SettingsError(
                f"{self.flags[0]} {self.certificate}: {error}; accepted: PEM files, the side's own certificate first"
            ) from None


@dataclass(frozen=True, slots=True)
class FixedContext:
    """A context, and what it was made of: for a program that does not run for weeks."""

    context: ssl.SSLContext
    files: TLSFiles


class ResumingContext(ssl.SSLContext):
    """A client's context that takes up each server's last session again, which costs neither side a signature.

    For connections that are made over memory, as asyncio's are. Sessions end with the context: a server is checked anew after a
    change of files.
    """

    def __init__(self, *_: object) -> None:
        self._last: dict[str | None, ssl.SSLObject] = {}
        self._sessions: dict[str | None, ssl.SSLSession] = {}

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """As the standard library's, with the session that the last connection to this server was given."""
        name = server_hostname.decode() if isinstance(server_hostname, bytes) else server_hostname
        last = self._last.get(name)
        newest = _session_of(last) if last else None  # with TLS 1.3 it comes after the handshake
        if newest and newest.has_ticket:
            self._sessions[name] = newest
        made = super().wrap_bio(
            incoming, outgoing, server_side, server_hostname, session or self._sessions.get(name)
        )
        self._last[name] = made
        return made


def _session_of(made: ssl.SSLObject) -> ssl.SSLSession | None:
    try:
        return made.session
    except ValueError:  # OpenSSL cannot copy the session of a handshake that is not at its end
        return None


def server_context(files: TLSFiles) -> ssl.SSLContext:
    """A server's context. Raises SettingsError.

    With an authority, certificates of clients are asked for: one that it has not signed, or that has expired, ends the handshake.
    A client without one is let in, as health checks come without; what it may ask for then is the server's to say.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    _load_own(context, files)
    if files.authority:
        _load_authority(context, files.authority, files.flags[2])
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def client_context(files: TLSFiles) -> ssl.SSLContext:
    """A client's context, which checks the server's certificate and name. Raises SettingsError.

    Without an authority those of the system are believed; with one, no other.
    """
    if files.key and not files.certificate:
        raise SettingsError(f"{files.flags[1]} {files.key}: needs {files.flags[0]} too")
    context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    if files.authority:
        _load_authority(context, files.authority, files.flags[2])
    else:
        context.load_default_certs()
    if files.certificate:
        _load_own(context, files)
    return context


def _load_own(context: ssl.SSLContext, files: TLSFiles) -> None:
    certificate, key = files.certificate, files.key
    assert certificate is not None
    files.expiry()  # says what is wrong with the file, which OpenSSL does not
    if key:
        _read(key, files.flags[1])
    where = f"{files.flags[1]} {key}" if key else f"{files.flags[0]} {certificate}"
    try:
        context.load_cert_chain(certificate, key, _no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            problem = f"its key is not that of {files.flags[0]} {certificate}"
        else:
            problem = "no private key in PEM form"
        raise SettingsError(
            f"{where}: {problem}; accepted: the key that the certificate was made for"
        ) from None
    except _PasswordError:
        raise SettingsError(f"{where}: a key with a password; accepted: one without") from None


def _load_authority(context: ssl.SSLContext, path: str, flag: str) -> None:
    text = _read(path, flag)
    try:
        context.load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        raise SettingsError(
            f"{flag} {path}: no certificate in PEM form; accepted: those of the CAs to believe, one after another"
        ) from None


def _read(path: str, flag: str) -> str:
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_CERTIFICATES_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"{flag} {path}: {error.strerror}") from None
    if len(data) > MAX_CERTIFICATES_BYTES:
        raise SettingsError(f"{flag} {path}: more than {MAX_CERTIFICATES_BYTES} bytes; accepted: a PEM file")
    # Comments, as files of CAs have them, may be in any script; the standard library takes no text beyond ASCII.
    return data.decode("ascii", "replace").replace("\ufffd", "?")


class _PasswordError(Exception):
    pass


def _no_password() -> str:
    raise _PasswordError  # else OpenSSL would ask for it on the terminal
