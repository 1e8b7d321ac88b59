"""What a failed connection says, where TLS was the reason, and what it leaves to others."""

from __future__ import annotations

import ssl
from types import SimpleNamespace

from shared.security.tls.refusal import problem_of


def error_of(reason):
    error = ssl.SSLError(ssl.SSL_ERROR_SSL, "[SSL]")
    error.reason = reason
    return error


def refused(code, message):
    error = ssl.SSLCertVerificationError(1, "[SSL]")
    error.verify_code, error.verify_message = code, message
    return error


def test_each_problem_has_its_remedy():
    for code, message, remedy in (
        (10, "certificate has expired", "renew it on the cloud"),
        (18, "self-signed certificate", "give --ca the file"),
        (20, "unable to get local issuer certificate", "give --ca the file"),
        (62, "Hostname mismatch", "a name that it is for"),
        (64, "IP address mismatch", "a name that it is for"),
        (9, "certificate is not yet valid", "compare --ca"),
    ):
        said = problem_of(refused(code, message))
        assert said.startswith(f"its certificate is not accepted: {message}; "), code
        assert remedy in said, code
    for reason, said in {
        "TLSV1_ALERT_UNKNOWN_CA": "it does not accept this edge: tlsv1 alert unknown ca; give --client-certificate",
        "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it does not accept this edge: tlsv13 alert certificate required; give",
        "SSLV3_ALERT_HANDSHAKE_FAILURE": "it does not accept this edge: sslv3 alert handshake failure",
        "WRONG_VERSION_NUMBER": "no TLS there (wrong version number); is it an http:// address?",
        "RECORD_LAYER_FAILURE": "no TLS there (record layer failure); is it an http:// address?",
        "UNSUPPORTED_PROTOCOL": "TLS: unsupported protocol",
    }.items():
        assert problem_of(error_of(reason)).startswith(said), reason


def test_it_is_found_wherever_the_client_keeps_it():
    error = error_of("WRONG_VERSION_NUMBER")
    caused = OSError("reset")
    caused.__cause__ = error
    for kept in (SimpleNamespace(certificate_error=error), SimpleNamespace(os_error=error), caused):
        assert problem_of(kept) == problem_of(error), kept


def test_every_other_error_is_left_alone():
    caused = OSError("reset")
    caused.__cause__ = ConnectionResetError()
    for error in (
        OSError("reset"),
        caused,
        ssl.SSLEOFError(8, "EOF"),
        SimpleNamespace(os_error=OSError("refused")),
    ):
        assert problem_of(error) is None, error


def test_bytes_that_were_damaged_on_their_way_are_nobodys_refusal():
    damage = (
        "DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
        "SSLV3_ALERT_BAD_RECORD_MAC",
        "TLSV1_ALERT_DECODE_ERROR",
        "UNEXPECTED_MESSAGE",
    )
    for reason in damage:
        for established in (False, True):
            assert problem_of(error_of(reason), established=established) is None, reason
    for reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        assert problem_of(error_of(reason), established=True) is None, reason
    for reason in (
        "TLSV1_ALERT_UNKNOWN_CA",
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
    ):  # a client of TLS 1.3 learns of it late
        assert "does not accept this edge" in problem_of(error_of(reason), established=True), reason
