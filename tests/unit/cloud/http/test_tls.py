"""The cloud behind TLS: strangers are refused at the handshake or at the door, and renewed files cost nobody a request."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import ssl
import threading
from contextlib import closing

import pytest
from kits.certificates import Certificates
from kits.cloud import WAIT_S, Server, until

from cloud.access.door import Door
from cloud.config import CloudSettings
from cloud.metrics import CloudMetrics
from shared.errors import SettingsError
from shared.process import healthcheck
from shared.security.rights import GROUPS
from shared.security.tls.certificate import name_of
from shared.security.tls.context import TLSFiles, client_context

OPEN = ("/", "/healthz", "/readyz")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Certificates.at(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def mutual(made):
    with Server(start=False, **made.cloud(mutual=True)) as server:
        yield server


def connect(server, context, host="127.0.0.1"):
    return closing(http.client.HTTPSConnection(host, server.port, timeout=WAIT_S, context=context))


def ask(connection, path, method="GET", body=None):
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, answer.read()


def handshakes(server, result):
    return server.metric("handshakes_total", result=result)


def test_a_client_with_a_certificate_is_answered(made, mutual):
    with connect(mutual, client_context(made.files("edge"))) as connection:
        assert [ask(connection, path)[0] for path in ("/", "/healthz", "/metrics")] == [200, 200, 200]
        assert name_of(connection.sock.getpeercert()) == "cloud"


def test_it_is_charged_by_the_name_in_it(made, mutual):
    with connect(mutual, client_context(made.files("edge"))) as connection:
        assert ask(connection, "/metrics")[0] == 200
        owners = {owner for owner, count in mutual.service.crowd._of_owner.items() if count}
    assert "certificate:edge" in owners


def test_one_without_is_told_the_health_and_nothing_else(made, mutual):
    with connect(mutual, client_context(TLSFiles(authority=made.path("edge", "ca.crt")))) as connection:
        assert [ask(connection, path)[0] for path in OPEN] == [200, 200, 503]
        for method, path, body in (
            ("GET", "/metrics", None), ("GET", "/model", None), ("GET", "/profiles", None), ("GET", "/tail-times", None),
            ("GET", "/bundle/00", None), ("POST", "/model", b"{}"), ("POST", "/compute", b'{"number": 7}'),
            ("PUT", f"/profiles/{32 * '0'}", b"x" * 1000), ("GET", f"/profiles/{32 * '0'}", None),
            ("GET", "/login", None), ("POST", "/login", b"token=sdn_"), ("POST", "/logout", b"form_key=a"), ("GET", "/session", None),
            ("GET", "/nowhere", None),
        ):  # fmt: skip
            status, answer = ask(connection, path, method, body)
            assert (status, json.loads(answer)["reason"]) == (401, "unauthenticated"), (method, path)
            assert "certificate" in json.loads(answer)["error"]
    assert mutual.is_empty()


def test_wrong_certificates_end_the_handshake(made, tmp_path, expect_log, caplog):
    other = Certificates.at(tmp_path)
    made.expired("edge")
    expired = made.files("edge")
    stranger = TLSFiles(
        other.path("edge", "tls.crt"), other.path("edge", "tls.key"), made.path("edge", "ca.crt")
    )
    for files, wanted in {expired: "certificate has expired", stranger: "unable to get local issuer"}.items():
        caplog.clear()
        with Server(start=False, **made.cloud(mutual=True)) as server:
            ended = pytest.raises((ssl.SSLError, ConnectionError))  # an alert, if it comes before the end
            with connect(server, client_context(files)) as connection, ended:
                ask(connection, "/healthz")
            until(lambda server=server: handshakes(server, "refused") == 1)
        assert wanted in "".join(each.getMessage() for each in caplog.records), files
    made.issue("edge")


def test_a_client_does_not_take_the_wrong_cloud(made, mutual, tmp_path, expect_log):
    other = Certificates.at(tmp_path)
    refused = pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed")
    with connect(mutual, client_context(other.files("edge"))) as connection, refused:
        ask(connection, "/")
    with Server(start=False, **made.cloud()) as server:
        made.issue("elsewhere", ("elsewhere.example",), "cloud")
        for _ in range(2):
            server.tls.look()
        mismatch = pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch")
        with connect(server, client_context(made.files("edge"))) as connection, mismatch:
            ask(connection, "/")
    made.issue("cloud")


def test_what_is_no_tls_is_counted_and_said_once(made, expect_log, caplog):
    with Server(start=False, **made.cloud()) as server:
        for count in range(1, 6):
            with socket.create_connection(("127.0.0.1", server.port), WAIT_S) as plain:
                plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
                with contextlib.suppress(ConnectionError):
                    plain.recv(100)
            until(lambda count=count: handshakes(server, "refused") == count)
        with socket.create_connection(("127.0.0.1", server.port), WAIT_S):
            pass
        until(lambda: handshakes(server, "gone") == 1)
    said = [each.getMessage() for each in caplog.records if "TLS" in each.getMessage()]
    assert len(said) == 1
    assert re.fullmatch(
        r"TLS handshakes that failed since this was last said: 1; the last with 127.0.0.1: http request",
        said[0],
    )


def test_who_says_nothing_is_closed(made, monkeypatch, expect_log):
    monkeypatch.setattr("shared.security.tls.handshakes.HANDSHAKE_S", 0.05)
    with Server(start=False, **made.cloud()) as server:
        with socket.create_connection(("127.0.0.1", server.port), WAIT_S) as silent:
            assert silent.recv(1) == b""
        until(lambda: handshakes(server, "late") == 1)


def test_renewed_files_cost_nobody_a_connection_or_a_request(made):
    """Four clients ask all the time, each on one connection, while the certificate is renewed five times."""
    with Server(start=False, **made.cloud(mutual=True)) as server:
        answered, sockets, problems, over = [0] * 4, [set() for _ in range(4)], [], threading.Event()

        def client(number):
            try:
                with connect(server, client_context(made.files("edge"))) as connection:
                    while not over.is_set():
                        assert ask(connection, "/metrics" if answered[number] % 8 == 7 else "/")[0] == 200
                        sockets[number].add(connection.sock.getsockname())
                        answered[number] += 1
            except Exception as error:
                problems.append(error)

        threads = [threading.Thread(target=client, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for days in range(1, 6):
            goal = [count + 5 for count in answered]
            until(
                lambda goal=goal: (
                    problems or all(count >= least for count, least in zip(answered, goal, strict=True))
                )
            )
            made.issue("cloud", days=days)
            server.tls.look()
            server.tls.look()
            with connect(server, client_context(made.files("edge"))) as connection:
                assert ask(connection, "/")[0] == 200
                shown = ssl.cert_time_to_seconds(connection.sock.getpeercert()["notAfter"])
            assert shown == made.files("cloud").expiry(), "new connections see the new certificate"
        over.set()
        for thread in threads:
            thread.join(WAIT_S)
        assert problems == []
        assert [len(each) for each in sockets] == [1] * 4
        assert server.metric("certificate_renewals_total", certificate="server", result="taken") == 5
        assert handshakes(server, "complete") == 4 + 5, "one a connection"
    made.issue("cloud")


def test_a_health_check_asks_behind_tls(mutual):
    assert healthcheck.main(f"https://127.0.0.1:{mutual.port}/healthz") == 0
    assert healthcheck.main(f"https://127.0.0.1:{mutual.port}/readyz") == 1
    assert healthcheck.main(f"http://127.0.0.1:{mutual.port}/healthz") == 1


def test_an_address_beyond_this_machine_needs_tokens_or_certificates(made):
    given = made.cloud(mutual=True) | {"address": "0.0.0.0"}
    assert Door(CloudSettings(**given), CloudMetrics()).gate.anonymous == GROUPS["all"]
    assert Door(CloudSettings(**given, anonymous="nothing"), CloudMetrics()).gate.anonymous == frozenset()
    del given["client_ca"]
    with pytest.raises(SettingsError, match=r"--address 0\.0\.0\.0 is reached from other machines"):
        Door(CloudSettings(**given), CloudMetrics())
