#!/usr/bin/env bash
# Python's ssl 3.11 and aiohttp 3.14.5: with TLS 1.3 a client whose certificate the server refuses completes its handshake without an
# error, and learns of it at its first read. To aiohttp that is a connection that broke, like any other: no error about certificates, and
# a caller that repeats what broke sends the request again. With TLS 1.2 the handshake fails, and aiohttp says that it was TLS.
# Expected: a word of it. RFC 8446, figure 1, lets a client finish before the server has looked at its certificate, so that it cannot be
# otherwise; but Python's section about TLS 1.3 does not say so, nor does aiohttp:
# https://docs.python.org/3/library/ssl.html#tls-1-3
# Matters to: edge/uplink/client.py, which says of a broken connection with a certificate that the cloud may have refused it, and docs/tls.md.
# Seen 2026-11-29, Python 3.11 with OpenSSL 3.0, x86-64:
#   TLSv1_2: the handshake fails, TLSV1_ALERT_UNKNOWN_CA; to aiohttp an error of TLS
#   TLSv1_3: the handshake succeeds, then a read fails, TLSV1_ALERT_UNKNOWN_CA; to aiohttp a broken connection
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check aiohttp==3.14.5 cryptography==50.0.2
seen=$(cd "$folder" && venv/bin/python - <<'PYTHON'
import asyncio
import datetime
import socket
import ssl
import threading

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def make(name):
    """NAME.pem: a key and a certificate for localhost that it has signed itself."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.OID_COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    kind = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    with open(f"{name}.pem", "wb") as file:
        file.write(key.private_bytes(serialization.Encoding.PEM, *kind))
        file.write(certificate.public_bytes(serialization.Encoding.PEM))


def serve(version):
    """The port of a server that takes one connection, of a client with a certificate of its own CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain("server.pem")
    context.load_verify_locations("server.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    listening = socket.create_server(("127.0.0.1", 0))

    def take():
        connection, _ = listening.accept()
        try:
            context.wrap_socket(connection, server_side=True)
        except ssl.SSLError:
            connection.close()

    threading.Thread(target=take, daemon=True).start()
    return listening.getsockname()[1]


def client():
    context = ssl.create_default_context(cafile="server.pem")
    context.load_cert_chain("client.pem")
    return context


def by_ssl(port):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        try:
            encrypted = client().wrap_socket(connection, server_hostname="localhost")
        except ssl.SSLError as error:
            return f"the handshake fails, {error.reason}"
        try:
            encrypted.recv(1)
        except ssl.SSLError as error:
            return f"the handshake succeeds, then a read fails, {error.reason}"
        return "accepted"


async def by_aiohttp(port):
    async with aiohttp.ClientSession() as session:
        try:
            await session.get(f"https://localhost:{port}/", ssl=client())
        except aiohttp.ClientSSLError:
            return "an error of TLS"
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            return "a broken connection"
        return "accepted"


make("server")
make("client")
for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    print(f"{version.name}: {by_ssl(serve(version))}; to aiohttp {asyncio.run(by_aiohttp(serve(version)))}")
PYTHON
)
echo "$seen"
[ "$seen" = "TLSv1_2: the handshake fails, TLSV1_ALERT_UNKNOWN_CA; to aiohttp an error of TLS
TLSv1_3: the handshake succeeds, then a read fails, TLSV1_ALERT_UNKNOWN_CA; to aiohttp a broken connection" ] || { echo "finding no longer holds: $0" >&2; exit 1; }
