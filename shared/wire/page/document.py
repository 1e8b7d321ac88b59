"""A page that stands alone: its style and script are in it, and its policy lets a browser run and fetch nothing else.

    page = document("SplitDNN edge", data(__package__, "edge.html"), styles=[...], scripts=[...])
    page.send(handler)

What came from a network, a file or another machine is in no document: it comes as a state, and the script writes it as text.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tornado.web import RequestHandler

_FRAME = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>{title}</title>
<style>{style}</style></head>
<body>{body}
{script}</body></html>
"""
_POLICY = (
    "default-src 'none'; style-src {style}; script-src {script}; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
"""A picture or a state of ours is shown by no page of another site, and kept by no cache."""


@dataclass(frozen=True, slots=True)
class Document:
    """One page, complete."""

    html: bytes
    policy: str
    """The Content-Security-Policy: nothing but this style and this script, and requests to where the page came from."""

    def send(self, handler: RequestHandler) -> None:
        """Finish the request with this page; the status is the handler's."""
        be_private(handler)
        handler.set_header("Content-Type", "text/html; charset=UTF-8")
        handler.set_header("Content-Security-Policy", self.policy)
        handler.finish(self.html)


def be_private(handler: RequestHandler) -> None:
    """Set the header fields of everything that only its viewer may see: pages, states, pictures."""
    for name, value in _HEADERS.items():
        handler.set_header(name, value)


@cache
def data(package: str, name: str) -> str:
    """A text file that lies in this package."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def document(title: str, body: str, *, styles: Sequence[str] = (), scripts: Sequence[str] = ()) -> Document:
    """`body` is HTML of ours; `styles` and `scripts` are texts, those that all pages have excepted: they come first."""
    style = "\n".join([data(__package__, "page.css"), *styles])
    script = "\n".join(['"use strict";', data(__package__, "page.js"), *scripts]) if scripts else ""
    if "</" in style or "</script" in script.lower():
        raise ValueError("a style or script would end before its end")
    html = _FRAME.format(
        title=escape(title),
        style=style,
        body=body,
        script=f"<script>{script}</script>" if script else "",
    )
    policy = _POLICY.format(style=_hash(style), script=_hash(script) if script else "'none'")
    return Document(html.encode(), policy)


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
