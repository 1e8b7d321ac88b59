"""Contexts from files: what is wrong is one line, what is right connects, and takes a session up again."""

from __future__ import annotations

import asyncio
import re
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from kits.certificates import Certificates

from shared.errors import SettingsError
from shared.limits import MAX_CERTIFICATES_BYTES
from shared.security.tls.context import TLSFiles, client_context, server_context


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Certificates.at(tmp_path_factory.mktemp("authority"))


def test_what_is_wrong_with_the_files_is_one_line(made, tmp_path):
    certificate, key = made.path("cloud", "tls.crt"), made.path("cloud", "tls.key")
    other = made.path("edge", "tls.key")
    (tmp_path / "empty").write_text("")
    (tmp_path / "large").write_bytes(b"x" * (MAX_CERTIFICATES_BYTES + 1))
    secret = load_pem_private_key((made.folder / "cloud" / "tls.key").read_bytes(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")
    )
    (tmp_path / "secret").write_bytes(secret)
    for files, wanted in {
        TLSFiles("/nowhere", key): r"--certificate /nowhere: No such file",
        TLSFiles(f"{tmp_path}/empty", key): r"--certificate \S+/empty: no certificate in PEM form; accepted:",
        TLSFiles(f"{tmp_path}/large", key): r"--certificate \S+/large: more than 1048576 bytes",
        TLSFiles(certificate, "/nowhere"): r"--key /nowhere: No such file",
        TLSFiles(certificate, f"{tmp_path}/empty"): r"--key \S+/empty: no private key in PEM form; accepted:",
        TLSFiles(
            certificate, other
        ): r"--key \S+/edge/tls.key: its key is not that of --certificate \S+cloud/tls.crt",
        TLSFiles(
            certificate, f"{tmp_path}/secret"
        ): r"--key \S+/secret: a key with a password; accepted: one without",
        TLSFiles(certificate): r"--certificate \S+/tls.crt: no private key",
        TLSFiles(certificate, key, "/nowhere"): r"--ca /nowhere: No such file",
        TLSFiles(certificate, key, key): r"--ca \S+/tls.key: no certificate in PEM form; accepted:",
    }.items():
        with pytest.raises(SettingsError) as caught:
            server_context(files)
        assert re.match(wanted, str(caught.value)), (files, str(caught.value))
        assert "\n" not in str(caught.value), files


def test_certificate_and_key_may_be_one_file(made, tmp_path):
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join((made.folder / "cloud" / name).read_bytes() for name in ("tls.key", "tls.crt")))
    server_context(TLSFiles(str(both)))
    assert TLSFiles(str(both)).paths == (str(both),)


def test_old_protocols_and_the_key_log_are_left_out(made, monkeypatch, tmp_path):
    monkeypatch.setenv("SSLKEYLOGFILE", f"{tmp_path}/keys")
    for context in (server_context(made.files("cloud")), client_context(made.files("edge"))):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert context.keylog_filename is None
    client = client_context(TLSFiles(authority=made.path("edge", "ca.crt")))
    assert (client.verify_mode, client.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert len(client.get_ca_certs()) == 1, "the system's are not believed beside one's own"
    assert server_context(made.files("cloud")).verify_mode == ssl.CERT_OPTIONAL
    assert server_context(made.files("cloud", authority=False)).verify_mode == ssl.CERT_NONE


def connections(server, clients):
    """Connect with each of `clients` in turn; what the server saw: whether the session was known, and the client's certificate."""
    seen = []

    async def serve(reader, writer):
        found = writer.get_extra_info("ssl_object")
        seen.append((found.session_reused, bool(found.getpeercert())))
        writer.write(b"x")
        await reader.read(1)
        writer.close()

    async def go():
        listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server)
        async with listening:
            port = listening.sockets[0].getsockname()[1]
            for client in clients:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
                assert await reader.read(1) == b"x"
                writer.write(b"y")
                writer.close()
                await writer.wait_closed()

    asyncio.run(go())
    return seen


def test_a_session_is_taken_up_again_with_the_certificate_of_its_client(made):
    client = client_context(made.files("edge"))
    server = server_context(made.files("cloud"))
    assert connections(server, [client] * 3) == [(False, True), (True, True), (True, True)]


def test_a_new_context_of_either_side_checks_anew(made):
    client = client_context(made.files("edge"))
    server = server_context(made.files("cloud"))
    again = client_context(made.files("edge"))
    assert connections(server, [client, again]) == [(False, True), (False, True)]
    assert connections(server_context(made.files("cloud")), [client]) == [(False, True)]


def test_what_is_no_ascii_in_a_file_is_a_comment_or_an_error(made, tmp_path):
    good = Path(made.path("edge", "ca.crt")).read_bytes()
    file = tmp_path / "ca.crt"
    for before, after in (("# Müllers CA 甲\n".encode(), b""), (b"", b"\n\xff\xfe"), (b"\r\n", b"\r\n")):
        file.write_bytes(before + good + after)
        client_context(TLSFiles(authority=str(file)))
    for data in (b"", bytes(range(256)) * 9, good[: len(good) // 2], good.replace(b"M", "ü".encode())):
        file.write_bytes(data)
        with pytest.raises(SettingsError, match=r"--ca .*: no certificate in PEM form"):
            client_context(TLSFiles(authority=str(file)))
