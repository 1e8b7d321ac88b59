"""The pages on which a browser logs in and out; they run nothing, and look like the others."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from shared.security.rights import Right
from shared.wire.page.document import document

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.security.gate import Caller
    from shared.wire.page.document import Document

_FORM = """<main><h1>{title}</h1>{problem}
<form method="post" action="/login"><p><label for="token">Token</label></p>
<p><input id="token" name="token" type="password" autocomplete="current-password" required autofocus> <button>Log in</button></p></form>
<p class="dim">The token is sent to this machine only, and stays here for as long as you are logged in.</p></main>"""
_WHO = """<main><h1>{title}</h1><p>Logged in as {name}, who may: {rights}.</p><p><a href="{back}">To the page</a></p>
<form method="post" action="/logout"><input type="hidden" name="form_key" value="{form_key}"><button>Log out</button></form></main>"""
_REFUSAL = """<main><h1>{title}</h1><p role="alert" class="bad">{problem}</p><p><a href="/login">Log in or out</a></p></main>"""


def login_page(title: str, problem: str = "") -> Document:
    """Asks for a token; `problem` says why the last one was refused."""
    alert = f'<p role="alert" class="bad">{escape(problem)}</p>' if problem else ""
    return document(title, _FORM.format(title=escape(title), problem=alert))


def page_for(title: str, caller: Caller, *, back: str) -> Document:
    """The page for somebody who comes to log in: who is logged in, or where nobody is, `login_page`."""
    if caller.session is None or caller.name is None:
        return login_page(title)
    rights = [right for right in Right if right in caller.rights]
    return session_page(title, caller.name, rights, caller.session.form_key, back=back)


def session_page(title: str, name: str, rights: Iterable[str], form_key: str, *, back: str) -> Document:
    """Says who is logged in; `back` is the path of the page that people come for."""
    texts = {"title": title, "name": name, "rights": ", ".join(rights), "form_key": form_key, "back": back}
    return document(title, _WHO.format(**{key: escape(text) for key, text in texts.items()}))


def refusal_page(title: str, problem: str) -> Document:
    """Says why somebody who is known may not see the page."""
    return document(title, _REFUSAL.format(title=escape(title), problem=escape(problem)))
