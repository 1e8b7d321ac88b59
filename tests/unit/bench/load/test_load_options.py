"""The load generator's clients with TLS and tokens: which request shows which token, and what is refused."""

import ssl

import pytest
from kits.certificates import Certificates

from bench.load.command import LoadOptions
from shared.errors import SettingsError
from shared.security.tokens.keyring import new_token

FRAMES = [[b"one", b"two!"], [b"three"], [b"four"]]


def test_points_and_tokens_go_round_client_by_client(tmp_path):
    tokens = [new_token(), new_token()]
    paths = [tmp_path / f"{number}.token" for number in range(2)]
    for path, token in zip(paths, tokens, strict=True):
        path.write_text(token)
    flags = [
        "--token-files",
        ",".join(map(str, paths)),
        "--clients",
        "16",
        "--url",
        "http://cloud:8881/under/",
    ]
    requests = LoadOptions.read(flags).requests(FRAMES)
    assert len(requests) == 6, "client 7 sends what client 1 does"
    for number, each in enumerate(requests):
        assert [request.partition(b"\r\n\r\n")[2] for request in each] == FRAMES[number % 3]
        for request in each:
            head, _, body = request.partition(b"\r\n\r\n")
            assert head.startswith(b"POST /under/model HTTP/1.1\r\nHost: cloud:8881\r\n")
            assert f"Authorization: Bearer {tokens[number % 2]}".encode() in head.split(b"\r\n")
            assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")


def test_without_tokens_none_is_shown_and_no_more_requests_are_made_than_there_are_clients():
    requests = LoadOptions.read(["--clients", "2"]).requests(FRAMES)
    assert len(requests) == 2
    assert b"Authorization" not in requests[0][0]


def test_an_https_url_is_asked_by_tls_with_the_ca_that_is_given(tmp_path):
    made = Certificates.at(tmp_path)
    assert LoadOptions.read([]).context() is None
    context = LoadOptions.read(["--url", "https://a", "--ca", made.path("edge", "ca.crt")]).context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert [each["subject"] for each in context.get_ca_certs()]


def test_what_does_not_fit_together_is_refused(tmp_path, capsys):
    for flags, said in ((["--ca", "ca.crt"], "--ca needs an https URL"), (["--url", "ftp://a"], "not a URL")):
        with pytest.raises(SystemExit):
            LoadOptions.read(flags)
        assert said in capsys.readouterr().err
    (tmp_path / "none.token").write_text("a word of mine")
    with pytest.raises(SettingsError, match="holds no token"):
        LoadOptions.read(["--token-files", str(tmp_path / "none.token")]).requests(FRAMES)
