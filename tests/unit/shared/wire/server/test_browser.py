"""What a browser's request shows of its sender."""

from __future__ import annotations

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from shared.wire.server.browser import from_elsewhere, is_own_name, session_key, shown_by


def request(**headers):
    found = HTTPHeaders({"Host": "edge:8882"})
    found.update({name.replace("_", "-"): value for name, value in headers.items()})
    start = RequestStartLine("GET", "/", "HTTP/1.1")
    made = HTTPServerRequest(start_line=start, headers=found)
    made.protocol = "http"
    return made


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1:8882", True),
        ("[::1]:8882", True),
        ("192.168.1.7", True),
        ("localhost:8882", True),
        ("edge", True),
        ("edge.local:8882", True),
        ("edge.home.arpa", True),
        ("edge.internal.", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example:8882", False),
        ("local", True),
        ("evillocal.example", False),
        ("", False),
        ("[::1", False),
        ("a b.example", False),
    ],
)
def test_a_name_that_a_stranger_can_register_is_not_our_own(host, own):
    assert is_own_name(host) is own


def test_the_session_is_the_last_cookie_of_its_name():
    assert session_key(request()) is None
    assert session_key(request(Cookie="a=1; splitdnn_session=first; splitdnn_session=last")) == "last"
    assert session_key(request(Cookie=f"splitdnn_session={'x' * 101}")) is None


def test_a_cookie_of_a_port_is_not_that_of_the_others():
    asks = request(Cookie="splitdnn_session=cloud; splitdnn_session_8882=edge; splitdnn_session_8883=other")
    assert (session_key(asks, of_port=True), session_key(asks)) == ("edge", "cloud")
    assert shown_by(asks, of_port=True).session_key == "edge"
    for host in ("edge", "edge:99999", "edge:x"):
        assert session_key(request(Host=host, Cookie="splitdnn_session=key"), of_port=True) == "key"


def test_a_token_in_the_header_goes_before_a_cookie():
    shown = shown_by(request(Authorization="Bearer token", Cookie="splitdnn_session=key"))
    assert (shown.authorization, shown.session_key) == (["Bearer token"], None)
    assert shown_by(request(Cookie="splitdnn_session=key"), "form").form_key == "form"


def test_browsers_say_whose_page_asks():
    assert not from_elsewhere(request())
    assert not from_elsewhere(request(Sec_Fetch_Site="same-origin", Origin="http://edge:8882"))
    assert from_elsewhere(request(Sec_Fetch_Site="cross-site"))
    assert from_elsewhere(request(Sec_Fetch_Site="same-site"))
    assert from_elsewhere(request(Origin="http://evil.example"))
    assert from_elsewhere(request(Origin="http://[bad"))
