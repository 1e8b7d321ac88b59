"""Addresses of streams: what is understood, what is refused, and that no password is shown."""

from __future__ import annotations

import re

import pytest

from edge.sources.live.address import read_address
from shared.errors import SourceError

HIDDEN = "s3cr3t"


def refusal(url):
    with pytest.raises(SourceError) as caught:
        read_address(url)
    message = str(caught.value)
    assert "\n" not in message
    assert HIDDEN not in message
    return message


@pytest.mark.parametrize("character", "#/?")
def test_what_ends_a_password_is_to_be_encoded(character):
    code = f"%{ord(character):02X}"
    for login in (f"admin:ab{character}{HIDDEN}", f"admin:ab{character}{HIDDEN}{character}@"):
        message = refusal(f"rtsp://{login}@camera:554/stream")
        assert f"end at `{character}`, character 9 after rtsp://; " in message, login
        assert f"write {code} for `{character}`" in message, login
    assert "write %23 for `#`" in refusal(f"rtsp://ad#min:{HIDDEN}@camera/stream"), (
        "a host, and then a password"
    )
    encoded = read_address(f"rtsp://admin:ab{code}{HIDDEN}@camera/stream")
    assert encoded.password == f"ab{character}{HIDDEN}"
    assert encoded.url == f"rtsp://admin:ab{code}{HIDDEN}@camera/stream"


def test_all_that_is_to_be_encoded_is_named():
    message = refusal(f"http://admin:a?b/{HIDDEN}#@camera/")
    assert message.startswith("http://***@camera/: ")
    assert message.endswith("write %3F for `?` and %2F for `/` and %23 for `#`")


def test_a_password_may_hold_what_ends_nothing():
    for password, url in {
        "p@ss": "p%40ss",
        "p:ss": "p:ss",
        "100%": "100%25",
        "%zz": "%25zz",
        "a b": "a%20b",
        "über": "%C3%BCber",
        "&+=;,!$'()*~[]": "&+=;,!$'()*~[]",
    }.items():
        found = read_address(f"rtsp://admin:{password}@camera:8554/live?x=1")
        assert (found.user, found.password) == ("admin", password), password
        assert found.url == f"rtsp://admin:{url}@camera:8554/live?x=1", password
        assert found.without_user == "rtsp://camera:8554/live?x=1", password
        assert found.name == "rtsp://***@camera:8554/live?…", password
        assert password not in repr(found), password


def test_encoded_characters_are_what_they_stand_for():
    found = read_address("http://a%40b:%2525%41@camera/a%20b")
    assert (found.user, found.password, found.url) == ("a@b", "%25A", "http://a%40b:%2525%41@camera/a%20b")


def test_an_at_sign_behind_the_host_is_the_paths_and_said_to_be():
    """`12` could be a port and the beginning of a password; the standard says that it is the port."""
    found = read_address(f"rtsp://admin:12/{HIDDEN}@camera/x")
    assert (found.host, found.port, found.user) == ("admin", 12, None)
    assert found.hint == "; if `/` is part of a password, write %2F"
    assert HIDDEN not in found.name
    assert "write %2F" in read_address(f"rtsp://admin:a@b/{HIDDEN}@camera/x").hint
    assert not read_address("http://me:too@camera/x").hint


def test_an_at_sign_in_a_password_is_said_to_be_taken_for_one():
    found = read_address("rtsp://admin:a@b@camera/x")
    assert (found.host, found.password) == ("camera", "a@b")
    assert found.hint.endswith("was taken for user and password (to be sure, write %40 for theirs)")


def test_hosts_and_ports():
    for url, host, port in (
        ("rtsp://camera", "camera", 554),
        ("RTSPS://Camera/x", "camera", 322),
        ("http://[::1]:81/x", "::1", 81),
        ("https://camera:/x", "camera", 443),
        ("rtmp://camera/app/key", "camera", 1935),
        ("udp://@:5000", "", 5000),
        ("udp://239.0.0.1:5000", "239.0.0.1", 5000),
        ("tcp://camera:9", "camera", 9),
    ):
        found = read_address(url)
        assert (found.host, found.port) == (host, port), url


def test_no_host():
    for url in (
        "rtsp://", "rtsp://:554/x", "http://host:port/", "http://[::1/", "http://host:99999/", "http://host:0/",
        "http://a b/", "rtsp://user:pass@", "tcp://camera/x", "udp://@/x",
    ):  # fmt: skip
        message = refusal(url)
        assert re.search(
            r"no such host or port; a stream is written [a-z]+://host:port/path, with `user:password@`",
            message,
        ), url


def test_another_scheme_is_refused_with_those_there_are():
    assert (
        refusal(f"rtps://user:{HIDDEN}@host/x")
        == "rtps://***@host/x: rtps:// is no source; did you mean rtsps or rtmps or rtsp?"
    )
    assert "srt:// is no source; known: rtsp, rtsps, http, https, rtmp, rtmps, udp, tcp" in refusal(
        "srt://host:9000"
    )
