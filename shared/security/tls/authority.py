"""A CA of one's own, for edges and clouds that no public CA names: `splitdnn authority FOLDER NAME…`.

Needs the package `cryptography`, and nothing that runs needs it. Keys are on the curve P-256, signed with ECDSA and SHA-256.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shared.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CA_DAYS = 3650
DAYS = 365
_BACKDATED = timedelta(minutes=5)
"""Clocks of other machines may be behind."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Known:
    """What one of this CA's certificates says."""

    end: datetime
    addresses: tuple[str, ...]
    """Host names and IP addresses that it is for."""


@dataclass(frozen=True)
class Authority:
    """A CA: its certificate, and the key that signs others."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def new(cls, *, days: int = CA_DAYS, now: datetime | None = None) -> Self:
        """Make one, valid from now on."""
        now = now or datetime.now(UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "SplitDNN's own CA")])
        unsigned = _begun(name, name, key.public_key(), now, days).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        return cls(unsigned.add_extension(_usage(ca=True), critical=True).sign(key, hashes.SHA256()), key)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The one that `write` has left there. Raises SettingsError."""
        try:
            certificate = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
            key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
        except OSError as error:
            raise SettingsError(f"{error.filename}: {error.strerror}") from None
        except (TypeError, ValueError):
            raise SettingsError(
                f"{folder}: ca.crt and ca.key are not those of an authority; move them away"
            ) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise SettingsError(f"{folder}/ca.key: accepted: a key that `splitdnn authority new` has made")
        return cls(certificate, key)

    def write(self, folder: Path) -> None:
        """Write `ca.crt`, which everybody may read, and `ca.key`, which only this user may. Raises SettingsError."""
        _write(folder / "ca.key", _pem_of(self.key), 0o600)
        _write(folder / "ca.crt", _pem(self.certificate), 0o644)

    def issue(
        self, name: str, addresses: Sequence[str] = (), *, days: float = DAYS, now: datetime | None = None
    ) -> tuple[bytes, bytes]:
        """A certificate for `name` and what else it is reached by, and its key: PEM each, for both ends of a connection.

        `addresses` are host names and IP addresses. Raises SettingsError for what is neither.
        """
        now = now or datetime.now(UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        if not _NAME.fullmatch(name):
            raise SettingsError(f"{name!r} is not a name; accepted: 64 letters, digits and `_ . -` at most")
        alternatives = [_general_name(each) for each in dict.fromkeys([name, *addresses])]
        certificate = (
            _begun(
                x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
                self.certificate.subject, key.public_key(), now, days,
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(ca=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
            .sign(self.key, hashes.SHA256())
        )  # fmt: skip
        return _pem(certificate), _pem_of(key)

    def write_issued(self, folder: Path, certificate: bytes, key: bytes, *, key_mode: int = 0o600) -> None:
        """Write `tls.key`, `tls.crt` and `ca.crt`, under the names that Kubernetes' secrets have. Raises SettingsError."""
        _write(folder / "ca.crt", _pem(self.certificate), 0o644)
        _write(folder / "tls.key", key, key_mode)
        _write(folder / "tls.crt", certificate, 0o644)

    def known(self, certificate: bytes) -> Known | None:
        """What a certificate in PEM form says, if this CA has signed it; else None."""
        try:
            found = x509.load_pem_x509_certificate(certificate)
            found.verify_directly_issued_by(self.certificate)
            names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (InvalidSignature, ValueError, TypeError, x509.ExtensionNotFound):
            return None
        addresses = [
            str(each) for kind in (x509.DNSName, x509.IPAddress) for each in names.get_values_for_type(kind)
        ]
        return Known(found.not_valid_after_utc, tuple(addresses))


def spelled(address: str) -> str:
    """A host name or an IP address in the one spelling that certificates have. Raises SettingsError for what is neither."""
    return str(_general_name(address).value)


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: float
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=ca, crl_sign=ca, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        if not _NAME.fullmatch(text):
            raise SettingsError(
                f"{text!r} is not an address; accepted: host names and IP addresses"
            ) from None
        return x509.DNSName(text.lower())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    """Replace the file in one step; at no moment has anybody else more rights to it than `mode` gives."""
    beside = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)  # whatever the umask
        beside.replace(path)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
