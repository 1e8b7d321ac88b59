"""When a certificate ends, and whose it is."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

import pytest

from shared.security.tls.authority import Authority
from shared.security.tls.certificate import expiry_of, name_of

AUTHORITY = Authority.new()


def test_the_end_is_read_whatever_its_form() -> None:
    for start in (
        datetime(1990, 5, 6, 7, 8, 9, tzinfo=UTC),
        datetime(2049, 12, 30, tzinfo=UTC),
        datetime(2060, 1, 2, tzinfo=UTC),
    ):
        pem, _ = AUTHORITY.issue("cloud", days=3, now=start)
        assert expiry_of(pem.decode()) == start.timestamp() + 3 * 86400, start


def test_the_first_of_several_is_meant() -> None:
    first, second = (AUTHORITY.issue("cloud", days=days)[0].decode() for days in (2, 9))
    assert expiry_of("text before\n" + first + second) == expiry_of(first) < expiry_of(second)


def test_what_is_no_certificate_is_an_error_whatever_it_is() -> None:
    pem, key = AUTHORITY.issue("cloud")
    der = ssl.PEM_cert_to_DER_cert(pem.decode())
    for text in ("", "cloud", key.decode(), pem.decode().replace("BEGIN", "begin")):
        with pytest.raises(ValueError, match="no certificate"):
            expiry_of(text)
    for size in range(1, 150):
        with pytest.raises(ValueError, match="not a certificate"):
            expiry_of(ssl.DER_cert_to_PEM_cert(der[:size]))
    for place in range(150):
        for value in (0, 0x7F, 0x84, 0xFF):
            damaged = der[:place] + bytes([value]) + der[place + 1 :]
            try:
                found = expiry_of(ssl.DER_cert_to_PEM_cert(damaged))
            except ValueError as error:
                assert str(error), place
            else:
                assert isinstance(found, float), place


def test_whose_it_is() -> None:
    subject = ((("countryName", "CH"),), (("commonName", "edge-7"),))
    assert name_of({"subject": subject, "subjectAltName": (("DNS", "other"),)}) == "edge-7"
    assert (
        name_of({"subject": (), "subjectAltName": (("DNS", "gate.example"), ("DNS", "b"))}) == "gate.example"
    )
    for nobody in (None, {}, {"subject": ()}, {"subject": (), "subjectAltName": ()}):
        assert name_of(nobody) is None, nobody
