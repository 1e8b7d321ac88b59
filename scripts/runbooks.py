"""The page that alerts and dashboards link to, made from docs/operations.md: Prometheus serves it, so that a link opens wherever it runs.

`python scripts/runbooks.py --write` renews it, and a test fails while it differs. Without a flag it is printed. A link to another
document becomes its text, as Prometheus does not serve that one.
"""

from __future__ import annotations

import re
import sys
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "docs/operations.md"
PAGE = ROOT / "monitoring/prometheus/consoles/runbooks.html"
_STYLE = (
    "body{max-width:56em;margin:2em auto;padding:0 1em;font:16px/1.5 sans-serif;color-scheme:light dark}:target{background:#ff9;color:#000}"
    "table{border-collapse:collapse;display:block;overflow-x:auto}th,td{border:1px solid #888;padding:.2em .5em;text-align:left}"
    "pre{overflow-x:auto}img{max-width:100%}"
)
_HEAD = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>SplitDNN: operations</title>
<style>{_STYLE}</style>
<!-- made by scripts/runbooks.py of docs/operations.md, checked by a test -->
"""


def anchor(heading: str) -> str:
    """What a heading is linked by, as the repository's own pages do it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def page() -> str:
    """The whole page."""
    return rendered(SOURCE.read_text(encoding="utf-8"))


def rendered(text: str) -> str:
    """A page of Markdown as one of HTML, whose headings can be linked to, and that leads nowhere else."""
    reader = MarkdownIt("commonmark").enable("table")
    tokens = reader.parse(text)
    for opening, inside in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", anchor(inside.content))
    for token in tokens:
        token.children = _without_other_pages(token.children or []) if token.children else token.children
    html: str = reader.renderer.render(tokens, reader.options, {})
    # Prometheus takes what stands in double braces for a template of Go's.
    return _HEAD + html.replace("{{", "&#123;&#123;") + "</html>\n"


def _without_other_pages(tokens: list) -> list:  # type: ignore[type-arg]
    """Inline tokens without pictures, and without links but those to this page's own headings and to the network."""
    kept, left_out = [], False
    for token in tokens:
        if token.type == "link_open":
            left_out = not str(token.attrGet("href")).startswith(("#", "https:"))
        hidden = token.type == "image" or (left_out and token.type in ("link_open", "link_close"))
        if token.type == "link_close":
            left_out = False
        if not hidden:
            kept.append(token)
    return kept


def main() -> None:
    """Print the page, or write it."""
    if sys.argv[1:] == ["--write"]:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(), encoding="utf-8")
    else:
        print(page(), end="")


if __name__ == "__main__":
    main()
