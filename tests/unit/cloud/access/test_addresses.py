"""Whose a request is: forwarded addresses are believed from named proxies only, and read from the right."""

from __future__ import annotations

import pytest
from tornado.httputil import HTTPHeaders

from cloud.access.addresses import TrustedProxies, charged_to
from shared.errors import SettingsError

PROXY, CLIENT, SPOOF = "10.0.0.7", "192.0.2.9", "198.51.100.1"


def headers(*lines: tuple[str, str]) -> HTTPHeaders:
    made = HTTPHeaders()
    for name, value in lines:
        made.add(name, value)
    return made


def xff(*values: str) -> HTTPHeaders:
    return headers(*(("X-Forwarded-For", value) for value in values))


def fwd(*values: str) -> HTTPHeaders:
    return headers(*(("Forwarded", value) for value in values))


def test_nobody_is_believed_who_was_not_named() -> None:
    for trusted in ("", PROXY):
        proxies = TrustedProxies(trusted)
        assert bool(proxies) == bool(trusted)
        for sent in (xff(SPOOF), fwd(f"for={SPOOF}"), headers(("X-Real-Ip", SPOOF))):
            assert proxies.client_of(CLIENT, sent) == CLIENT


def test_the_last_address_that_is_no_proxys_is_the_clients() -> None:
    proxies = TrustedProxies(f"{PROXY}, 10.1.0.0/16")
    for chain, expected in (
        ((CLIENT,), CLIENT),
        ((f"{SPOOF}, {CLIENT}",), CLIENT),
        ((f"{SPOOF},{CLIENT}, 10.1.2.3",), CLIENT),
        ((SPOOF, f"{CLIENT}", "10.1.2.3"), CLIENT),  # several header lines are one list
        ((f"{CLIENT}:51234",), CLIENT),
        (("::ffff:192.0.2.9",), CLIENT),
        (("[2001:db8:1:2:3::4]:443",), "2001:db8:1:2::/64"),
        (("2001:db8:1:2::99%eth0",), "2001:db8:1:2::/64"),
        ((f"{PROXY}, 10.1.0.9",), PROXY),  # proxies only: the outermost
    ):
        assert proxies.client_of(PROXY, xff(*chain)) == expected, chain
        assert proxies.client_of(f"::ffff:{PROXY}", xff(*chain)) == expected, chain


def test_forwarded_is_read_as_rfc_7239_has_it() -> None:
    proxies = TrustedProxies(f"{PROXY},10.1.0.0/16")
    for value, expected in (
        (f"for={CLIENT}", CLIENT),
        (f"For = {CLIENT} ; proto=https;by=10.0.0.7", CLIENT),
        (f'for="{CLIENT}:4711";host="a,b;c"', CLIENT),
        ('for="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::/64"),
        (f"for={SPOOF}, for={CLIENT}, for=10.1.2.3", CLIENT),
    ):
        assert proxies.client_of(PROXY, fwd(value)) == expected, value


def test_what_is_malformed_hidden_or_contradictory_is_charged_to_the_proxy() -> None:
    proxies = TrustedProxies(PROXY)
    for sent in (
        HTTPHeaders(),
        xff(""),
        xff("unknown"),
        xff(f"{SPOOF}, nonsense"),
        xff(f"{SPOOF},"),
        xff("1.2.3.4.5"),
        xff("1.2.3.4:port"),
        xff("[::1"),
        xff("[2001:db8::1]x"),
        xff("192.0.2.9\x85"),
        fwd("for=_hidden"),
        fwd("for=unknown"),
        fwd("proto=https"),
        fwd(f"for={SPOOF};for={CLIENT}"),
        fwd(f'for="{SPOOF}'),
        fwd(f'for={SPOOF}, for="'),
        headers(("X-Forwarded-For", SPOOF), ("Forwarded", f"for={CLIENT}")),
        headers(("X-Forwarded-For", SPOOF), ("Forwarded", "for=_hidden")),
    ):
        assert proxies.client_of(PROXY, sent) == PROXY, list(sent.get_all())
    both = headers(("X-Forwarded-For", CLIENT), ("Forwarded", f"for={CLIENT}"))
    assert proxies.client_of(PROXY, both) == CLIENT


def test_a_header_of_any_length_costs_a_look_at_its_end() -> None:
    proxies = TrustedProxies("0.0.0.0/0")  # everybody is a proxy, so that the whole chain would be walked
    chain = ",".join(f"10.9.{n >> 8}.{n & 255}" for n in range(1200))
    assert proxies.client_of(PROXY, xff(chain)) == "10.9.4.160"  # 16 from the right
    assert proxies.client_of(PROXY, fwd(",".join(f"for={each}" for each in chain.split(",")))) == "10.9.4.160"


def test_a_site_of_ipv6_is_one_client() -> None:
    assert charged_to("2001:db8::1") == charged_to("2001:db8::ffff:1") == "2001:db8::/64"
    assert charged_to("2001:db8:0:1::1") != charged_to("2001:db8::1")
    assert charged_to("::ffff:192.0.2.9") == charged_to(CLIENT) == CLIENT
    assert charged_to("") == ""  # a Unix socket


def test_settings_that_name_no_network_are_refused() -> None:
    for text in ("proxy.example", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.1;10.0.0.2", "::/129"):
        with pytest.raises(SettingsError, match="--trusted-proxies"):
            TrustedProxies(text)
    proxies = TrustedProxies(" 10.0.0.0/8 ,, fd00::/8,")
    assert proxies.includes("10.255.0.1")
    assert proxies.includes("fd12::1")
    assert not proxies.includes("11.0.0.1")
    assert not proxies.includes("nobody")


def test_a_long_header_is_read_once_and_not_in_every_way_in_which_it_could_be_read() -> None:
    """A proxy passes on what its client wrote. By the square of its length, a megabyte would take a day."""
    proxies, spaces = TrustedProxies(PROXY), " " * (1 << 20)
    for value in (f"for={spaces}x y", f'for={spaces}"', f"for{spaces}={spaces};", f"for=x{spaces}y"):
        assert proxies.client_of(PROXY, fwd(value)) == PROXY, value[:8]
