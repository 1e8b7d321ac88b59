"""What says who a request is from: files of tokens, headers of proxies, Authorization, cookies, certificates."""

from __future__ import annotations

import functools
import math
from ipaddress import ip_address, ip_network
from types import SimpleNamespace

from hypothesis import strategies as st
from kits.fuzz.campaign import try_out
from kits.fuzz.mutations import damaged
from kits.fuzz.properties import fuzzed
from tornado.httputil import HTTPHeaders, HTTPInputError, HTTPServerRequest, RequestStartLine

from cloud.access.addresses import TrustedProxies, charged_to
from cloud.access.door import Door
from cloud.config import CloudSettings
from cloud.metrics import CloudMetrics
from shared.errors import ForbiddenError, SettingsError, UnauthenticatedError
from shared.security.rights import NOTHING, OPEN, Right, one_of, parse_rights, written
from shared.security.tls.authority import Authority
from shared.security.tls.certificate import expiry_of
from shared.security.tokens.bearer import Bearer
from shared.security.tokens.keyring import TOKEN, Grant, Keyring, digest_of, new_token, parse_tokens
from shared.wire.server.browser import FORM_KEY, session_key

PEER, PROXY, STRANGER = "192.0.2.9", "10.0.0.7", "203.0.113.5"
TOKENS = {right: new_token() for right in Right}
ANY_TEXT = st.text(max_size=60)
"""Whatever Unicode has, surrogates and line breaks among it."""
HEADER_TEXT = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60
)
"""What Tornado lets a header hold."""


def words(*known, text=ANY_TEXT, most=6, between=(" ", "\t", "", ",", ";", "=", '"')):
    """Known words and unknown ones, put together with what separates words or with nothing."""
    word = st.one_of(st.sampled_from(known), text)
    pair = st.tuples(word, st.sampled_from(between))
    return st.lists(pair, max_size=most).map(lambda pairs: "".join(map("".join, pairs)))


LINES = words(
    "gate", "a" * 65, "frames,profiles", "edge", "all", "nothing", "-", "2027-01-31", "2027-02-30T25:00Z", "9" * 30,
    "0000-01-01", "#", f"sha256:{'5a' * 32}", f"sha256:{'5A' * 32}", "sha256:", TOKENS[Right.FRAMES], "\n", "\r", "\x85",
    "gate frames - sha256:" + "1b" * 32 + "\n", most=12,
)  # fmt: skip


@fuzzed(2000, seconds=4, text=LINES)
def test_files_of_tokens(text):
    try:
        keyring = parse_tokens(text)
    except ValueError as error:
        assert str(error).isprintable()
        assert not TOKEN.search(str(error)), "a token is quoted"
        return
    for grant in keyring:
        assert grant.rights <= frozenset(Right)
        assert grant.expires is None or math.isfinite(grant.expires)
        assert len(grant.digest) == 32
    again = parse_tokens("\n".join(map(str, keyring)))
    assert list(map(str, again)) == list(map(str, keyring))


@fuzzed(600, seconds=1, text=words(TOKENS[Right.FRAMES], "sdn_", "\ufeff", "\n"))
def test_a_token_in_a_file_or_a_setting(text):
    try:
        bearer = Bearer.of_token(text)
    except SettingsError as error:
        assert not TOKEN.search(str(error)), "a token is quoted"
        return
    assert bearer.headers() == {"Authorization": f"Bearer {text.strip()}"}


@fuzzed(400, seconds=1, text=words(*Right, "edge", "all"))
def test_lists_of_rights(text):
    try:
        rights = parse_rights(text)
    except ValueError:
        return
    assert rights
    assert parse_rights(written(rights)) == rights


ADDRESSES = (
    PEER, PROXY, STRANGER, f"{STRANGER}:4711", f"[2001:db8::1]:{'9' * 5}", "2001:db8::1", "::ffff:10.0.0.7", '"[2001:db8::1]"',
    "fe80::1%eth0", "unknown", "_hidden", "999.1.1.1", "010.0.0.7", "0x7f.1", "1", "[", "]", "[]", ":", "::",
)  # fmt: skip
CHAINS = words(
    *ADDRESSES, "for=", "For = ", "by=10.0.0.1", "proto=https", "for=;for=", "\\", text=HEADER_TEXT, most=12
)


@fuzzed(
    2500,
    seconds=5,
    lines=st.lists(
        st.tuples(st.sampled_from(["X-Forwarded-For", "x-forwarded-for", "Forwarded", "X-Real-IP"]), CHAINS),
        max_size=4,
    ),
    peer=st.sampled_from([PEER, PROXY, "::ffff:10.0.0.7", "2001:db8:1::7", "", "/socket"]),
)
def test_headers_of_proxies(lines, peer):
    headers = HTTPHeaders()
    for name, value in lines:
        headers.add(name, value.strip(" \t"))  # as Tornado does with what it reads
    nobody, proxies = TrustedProxies(), TrustedProxies("10.0.0.0/8, 2001:db8:1::/48")
    assert nobody.client_of(peer, headers) == charged_to(peer), "no header is believed of anybody"
    client = proxies.client_of(peer, headers)
    if not proxies.includes(peer):
        assert client == charged_to(peer), "nor of one that was not named"
    else:
        assert ip_network(client, strict=True).num_addresses in (1, 2**64), "one address, or a subscriber's"
        assert ":" in client or str(ip_address(client)) == client
    assert proxies.client_of(peer, headers) == client


@functools.cache
def door():
    """A door whose tokens are in memory, and a session behind it."""
    grants = [Grant(name, frozenset({name}), None, digest_of(token)) for name, token in TOKENS.items()]
    expired = Grant("late", frozenset(Right), 1.0, digest_of("sdn_" + "x" * 43))
    settings = CloudSettings(model="resnet18", weights="random", cache_dir="", anonymous="json")
    made = Door(settings, CloudMetrics())
    made.gate._tokens = SimpleNamespace(keyring=Keyring([*grants, expired]))
    key, session = made.sessions.begin(digest_of(TOKENS[Right.PAGE]))
    return made, key, session


GOOD = {
    "Authorization": [f"Bearer {TOKENS[Right.FRAMES]}", f"bearer  {TOKENS[Right.PAGE]}"],
    "authorization": [f"Bearer {TOKENS[Right.JSON]}"],
    "Cookie": ["splitdnn_session=KEY", 'a=b; splitdnn_session="KEY"; c'],
    "cookie": ["splitdnn_session=KEY"],
    "X-Form-Key": ["FORM"],
    "Origin": ["http://cloud"],
    "Sec-Fetch-Site": ["same-origin"],
}
KNOWN = (
    "Bearer ", "bearer", "Basic eDp5", *TOKENS.values(), "sdn_" + "x" * 43, "splitdnn_session=", "KEY", "FORM", "__Host-",
    "https://cloud", "http://[", "null", "same-origin", "cross-site", "none", "cloud", "\\073", '"',
)  # fmt: skip
ODD = words(*KNOWN, text=HEADER_TEXT, between=("", " ", ";", "; ", ","))
HEADERS = st.sampled_from([*GOOD]).flatmap(
    lambda name: st.tuples(st.just(name), st.one_of(st.sampled_from(GOOD[name]), ODD))
)


@fuzzed(
    2000,
    seconds=4,
    lines=st.lists(HEADERS, max_size=5),
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "BREW"]),
    needs=st.sampled_from([OPEN, one_of(Right.FRAMES), one_of(Right.JSON, Right.PAGE), one_of(*Right)]),
)
def test_headers_that_say_who_it_is(lines, method, needs):
    made, key, session = door()
    headers = HTTPHeaders({"Host": "cloud"})
    for name, value in lines:
        headers.add(name, value.replace("KEY", key).replace("FORM", session.form_key).strip(" \t"))
    line = RequestStartLine(method, "/model", "HTTP/1.1")
    try:
        request = HTTPServerRequest(
            headers=headers, start_line=line, connection=SimpleNamespace(context=None)
        )
    except HTTPInputError:  # a Host that is none, to which Tornado answers 400
        return
    found = session_key(request)
    assert found is None or 0 < len(found) <= 100
    try:
        caller = made.enter(request, needs)
    except (UnauthenticatedError, ForbiddenError) as error:
        assert not any(token in str(error) for token in TOKENS.values()), "a token is quoted"
        assert not needs.is_open, "what is open is open to whoever shows whatever"
        return
    assert needs.met_by(caller.rights)
    extra = caller.rights - {Right.JSON}
    if extra:  # more than everybody has: then a whole token was shown, or the session's key
        assert caller.name in {*Right}
        assert extra == {caller.name}
        values = "\n".join(headers.get_list("Authorization"))
        if caller.session is None:
            assert TOKENS[Right(caller.name)] in values
        else:
            assert key in headers["Cookie"]
            assert method in ("GET", "HEAD") or headers[FORM_KEY] == session.form_key
    elif needs.is_open:
        assert caller.rights == NOTHING


@functools.cache
def certificates():
    authority = Authority.new()
    return [
        authority.issue("cloud", ["10.0.0.1", "cloud.example"], days=days)[0] for days in (1, 400, 20_000)
    ]


def test_certificates():
    def check(data: bytes) -> object:
        try:
            expiry = expiry_of(data.decode("ascii", "replace"))
        except ValueError:
            return None
        assert math.isfinite(expiry)
        return expiry

    def make(chance):
        return damaged(chance, chance.choice(certificates()), certificates())

    assert try_out("certificates", 6_000, make, check, seconds=1) > 0.01
