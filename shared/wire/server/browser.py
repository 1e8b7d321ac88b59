"""What a browser's request shows of its sender: the session's cookie, and whether a page of another site sent it."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.security.gate import Shown

if TYPE_CHECKING:
    from tornado.httputil import HTTPServerRequest
    from tornado.web import RequestHandler

FORM_KEY = "X-Form-Key"
_COOKIE = "splitdnn_session"
_LONGEST_KEY = 100
_SAME_SITE = ("same-origin", "none")
_LOCAL = (".local", ".localhost", ".internal", ".home.arpa")
"""Ends of names that nobody can register."""


def shown_by(request: HTTPServerRequest, form_key: str | None = None, *, of_port: bool = False) -> Shown:
    """All of it, for the gate. `form_key` came in a form; `of_port` as of `cookie_name`."""
    headers = request.headers
    authorization = headers.get_list("Authorization")
    return Shown(
        request.method or "",
        authorization,
        None if authorization or "Cookie" not in headers else session_key(request, of_port=of_port),
        form_key or headers.get(FORM_KEY),
        from_elsewhere(request),
    )


def cookie_name(request: HTTPServerRequest, *, of_port: bool = False) -> str:
    """The name of the session's cookie; over TLS one that browsers let no other host or path set.

    `of_port`: one of this port alone, as browsers send a cookie to all ports of a machine, and each keeps its own session.
    """
    name = f"{_COOKIE}{_port(request.host)}" if of_port else _COOKIE
    return f"__Host-{name}" if request.protocol == "https" else name


def session_key(request: HTTPServerRequest, *, of_port: bool = False) -> str | None:
    """What the session's cookie holds; None without one. `of_port` as of `cookie_name`."""
    # Not Tornado's `cookies`: it reads all of them, and each the slower the more it escapes.
    name, keys = cookie_name(request, of_port=of_port), []
    for cookie in ";".join(request.headers.get_list("Cookie")).split(";"):
        found, _, value = cookie.partition("=")
        if found.strip() == name:
            keys.append(value.strip())
    return keys[-1] if keys and 0 < len(keys[-1]) <= _LONGEST_KEY else None


def keep_session(handler: RequestHandler, key: str, *, of_port: bool = False) -> None:
    """Answer with the session's cookie, which no script of a page sees. `of_port` as of `cookie_name`."""
    handler.set_cookie(
        cookie_name(handler.request, of_port=of_port),
        key,
        httponly=True,
        samesite="Strict",
        secure=handler.request.protocol == "https",
        path="/",
    )


def _port(host: str) -> str:
    """The end of a cookie's name; nothing where the port is the usual one, or no port."""
    try:
        port = urlsplit(f"//{host}").port
    except ValueError:
        return ""
    return "" if port is None else f"_{port}"


def from_elsewhere(request: HTTPServerRequest) -> bool:
    """Whether a browser says that a page of another site sent this; programs say nothing of the kind."""
    headers = request.headers
    if headers.get("Sec-Fetch-Site", "none") not in _SAME_SITE:
        return True
    origin = headers.get("Origin")
    try:
        return origin is not None and urlsplit(origin).netloc.lower() != request.host.lower()
    except ValueError:
        return True


def is_own_name(host: str) -> bool:
    """Whether nobody else can have given this machine the name by which it was asked: an address, or a name of a local network.

    A stranger's site can make its own name lead to this machine, and its pages may then read what is open to everybody here.
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return bool(name) and ("." not in name or name.endswith(_LOCAL))
    return True
