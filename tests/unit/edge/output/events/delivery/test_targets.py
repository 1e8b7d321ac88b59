"""Addresses of targets: what is taken, what is refused, and what a target is called."""

from __future__ import annotations

import re
import socket

import pytest

from edge.output.events.delivery.targets import Broker, Receiver, in_clear, targets_of

GOOD = {
    "mqtts://edge@broker.lan:8884/home/door": Broker(
        "mqtts-broker.lan-8884-home-door", "broker.lan", 8884, True, "edge", "home/door"
    ),
    "mqtts://broker.lan": Broker("mqtts-broker.lan-splitdnn", "broker.lan", 8883, True, None, "splitdnn"),
    "mqtt://127.0.0.1/a/": Broker("mqtt-127.0.0.1-a", "127.0.0.1", 1883, False, None, "a"),
    "mqtt://u%40x@localhost:1883/a": Broker("mqtt-localhost-a", "localhost", 1883, False, "u@x", "a"),
    "https://hooks.example.com": Receiver("https-hooks.example.com", "https://hooks.example.com", True),
    "http://localhost:8080": Receiver("http-localhost-8080", "http://localhost:8080", False),
}


@pytest.mark.parametrize("url", GOOD)
def test_what_is_an_address(url):
    assert targets_of(url) == (GOOD[url],)


def test_several_stand_between_commas():
    assert targets_of(" mqtts://broker.lan , https://hooks.example.com ") == (
        GOOD["mqtts://broker.lan"],
        GOOD["https://hooks.example.com"],
    )


def test_the_hosts_name_can_be_part_of_the_prefix():
    (broker,) = targets_of("mqtts://broker/home/{hostname}")
    assert isinstance(broker, Broker)
    assert broker.prefix == f"home/{socket.gethostname()}"


def test_names_fit_the_spool_differ_and_tell_nothing_secret():
    urls = [
        "https://hooks.example.com/services/T0/S3CRET",
        "https://hooks.example.com/services/T0/0THER",
        "https://hooks.example.com?key=S3CRET",
        "https://[2001:db8::1]:8443/S3CRET",
        f"https://{'long.' * 30}example.com/S3CRET",
        "mqtts://user@broker/Küche",
        "mqtts://user@broker/kuche",
        f"mqtts://broker/{'x' * 200}",
        f"mqtts://broker/{'x' * 199}y",
    ]
    names = [each.name for url in urls for each in targets_of(url)]
    assert len(set(names)) == len(urls), names
    for name in names:
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", name)
        assert "s3cret" not in name
        assert "user" not in name
    assert "S3CRET" not in repr(targets_of(urls[0]))
    assert targets_of("mqtts://a@b/c")[0].name == targets_of("mqtts://other@b/c")[0].name


BAD = {
    "": "not an address such as",
    "broker": "not an address such as",
    "ftp://broker": "not an address such as",
    "mqtts://": "not an address such as",
    "mqtts://broker:0": "not an address such as",
    "mqtts://broker:65536": "not an address such as",
    "mqtts://[::1": "not an address such as",
    "https://a b/": "not an address such as",
    "https://a\x07b/": "not an address such as",
    "mqtts://edge:hunter2@broker": "--events-password-file",
    "https://edge:hunter2@host/x": "--events-password-file",
    "https://edge@host/x": "requests are signed instead, by --events-secret-file",
    "https://host/x#y": "no #",
    "mqtts://broker/a?b=c": "has no ?",
    "mqtts://broker/a/+/b": "no prefix of topics",
    "mqtts://broker/a%23": "no prefix of topics",
    "mqtts://broker/$SYS/x": "no prefix of topics",
    "mqtts://broker/a//b": "no prefix of topics",
    "mqtts://broker/a%00b": "no prefix of topics",
    f"mqtts://broker/{'x' * 201}": "at most 200 bytes",
    f"mqtts://{'u' * 1025}@broker/": "far too long",
    "mqtts://@broker/": "its user is empty",
    "mqtts://broker/a,mqtts://broker/a": "mqtts-broker-a is given twice",
    "mqtts://broker/a,": "number 2 of 2, nothing: not an address",
    ",".join(f"https://host{number}/" for number in range(9)): "9 addresses; accepted: at most 8",
}


@pytest.mark.parametrize("text", BAD)
def test_what_is_none_is_refused_with_what_would_be_taken(text):
    with pytest.raises(ValueError, match=re.escape(BAD[text])) as raised:
        targets_of(text)
    assert "hunter2" not in str(raised.value)


def test_what_crosses_a_network_unencrypted():
    for url, clear in {
        "mqtts://broker": False,
        "mqtt://broker": True,
        "mqtt://127.0.0.1": False,
        "mqtt://[::1]": False,
        "http://hooks.lan/x": True,
        "http://localhost/x": False,
        "https://hooks.lan/x": False,
    }.items():
        assert in_clear(*targets_of(url)) is clear, url
