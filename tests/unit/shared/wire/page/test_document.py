"""A page that stands alone, and lets a browser run and fetch nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from types import SimpleNamespace

import pytest

from shared.wire.page.document import be_private, data, document
from shared.wire.page.forms import login_page, refusal_page, session_page


def hash_of(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def between(html, tag):
    (found,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
    return found


def directives(policy):
    return {name: values for name, *values in (each.split() for each in policy.split("; "))}


def test_the_policy_names_what_is_in_the_page_and_nothing_else():
    page = document("A & B", "<p>body</p>", styles=["p { margin: 0; }"], scripts=["let mine = 1;"])
    html = page.html.decode()
    said = directives(page.policy)
    assert said["default-src"] == ["'none'"]
    assert said["style-src"] == [hash_of(between(html, "style"))]
    assert said["script-src"] == [hash_of(between(html, "script"))]
    assert said["connect-src"] == said["form-action"] == ["'self'"]
    assert set(said["img-src"]) == {"'self'", "data:"}
    assert said["frame-ancestors"] == said["base-uri"] == ["'none'"]
    assert said["require-trusted-types-for"] == ["'script'"]
    assert "unsafe" not in page.policy
    assert "<title>A &amp; B</title>" in html
    assert between(html, "script").endswith("let mine = 1;")


def test_no_part_of_it_lies_elsewhere():
    html = document("page", "<p>body</p>", scripts=["let mine = 1;"]).html.decode()
    assert not re.search(r"(src|href)=\"(?!data:)", html)
    assert "://" not in html
    assert "@import" not in html
    assert "url(" not in html


def test_a_page_without_scripts_of_its_own_runs_none():
    page = login_page("SplitDNN")
    assert directives(page.policy)["script-src"] == ["'none'"]
    assert b"<script" not in page.html


@pytest.mark.parametrize("end", ["</script>", "</SCRIPT >"])
def test_a_script_that_would_end_early_is_refused(end):
    with pytest.raises(ValueError, match="before its end"):
        document("page", "", scripts=[f"let text = '{end}';"])


def test_the_shared_script_writes_foreign_text_as_text_only():
    for name in ("page.js", "page.css"):
        text = data("shared.wire.page", name)
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", text), name


@pytest.mark.parametrize("attack", ['<img src=x onerror="1">', '"><script>1</script>'])
def test_forms_escape_what_they_are_told(attack):
    pages = (
        login_page("title", attack),
        refusal_page("title", attack),
        session_page(attack, attack, [attack], attack, back="/"),
    )
    for page in pages:
        assert attack.encode() not in page.html
        assert b"&lt;" in page.html


def test_what_is_private_is_kept_by_nobody_and_shown_by_no_other_site():
    found = {}
    be_private(SimpleNamespace(set_header=found.__setitem__))
    assert found["Cache-Control"] == "no-store"
    assert found["Cross-Origin-Resource-Policy"] == "same-origin"
    assert found["X-Content-Type-Options"] == "nosniff"
