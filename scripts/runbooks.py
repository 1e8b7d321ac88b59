"""The page that alerts link to, made from docs/operations.md: Prometheus serves it, so that a link opens wherever it runs.

`python scripts/runbooks.py --write` renews it, and a test fails while it differs. Without a flag it is printed. Of Markdown it
reads what those sections are written in: headings, paragraphs, lists, code, emphasis and links.
"""

from __future__ import annotations

import html
import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "monitoring/prometheus/consoles/runbooks.html"
_HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>SplitDNN: what alerts mean</title>
<style>body{max-width:48em;margin:2em auto;padding:0 1em;font:16px/1.5 sans-serif}h2:target{background:#ff9}</style>
<!-- made by scripts/runbooks.py, checked by a test -->
<h1>What alerts mean</h1>
"""


def alerts() -> list[str]:
    """Every alert's name, in the order of the rules."""
    groups = yaml.safe_load((ROOT / "monitoring/prometheus/rules/alerts.yml").read_text(encoding="utf-8"))
    return [rule["alert"] for group in groups["groups"] for rule in group["rules"]]


def sections() -> dict[str, str]:
    """Alert -> its section in docs/operations.md. Raises KeyError for one without."""
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    _, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    found = {title: body.strip() for title, _, body in (part.partition("\n") for part in parts)}
    return {name: found[name] for name in alerts()}


def page() -> str:
    """The whole page."""
    parts = [f'<h2 id="{name.lower()}">{name}</h2>\n{_blocks(text)}' for name, text in sections().items()]
    return _HEAD + "\n".join(parts) + "</html>\n"


def _blocks(text: str) -> str:
    """Paragraphs and lists. Raises ValueError for a block of another kind."""
    out = []
    for block in re.split(r"\n{2,}", text):
        if re.match(r"(#|>|\||```|\d+\. )", block):
            raise ValueError(f"a section of an alert has paragraphs and lists only: {block[:40]!r}")
        if block.startswith("- "):
            items = [_line(item) for item in re.split(r"^- ", block, flags=re.MULTILINE)[1:]]
            out.append("<ul>\n" + "".join(f"<li>{item}</li>\n" for item in items) + "</ul>\n")
        else:
            out.append(f"<p>{_line(block)}</p>\n")
    return "".join(out)


def _line(text: str) -> str:
    """Code, emphasis and links within a block. A link to another document is its text: Prometheus does not serve that one."""
    text = html.escape(" ".join(text.split()), quote=False).replace(
        "{{", "&#123;&#123;"
    )  # no template of Go's
    pieces = re.split(r"`([^`]+)`", text)
    for number, piece in enumerate(pieces):
        if number % 2:
            pieces[number] = f"<code>{piece}</code>"
            continue
        plain = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", piece)
        plain = re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", plain)
        pieces[number] = re.sub(r"\*([^*]+)\*", r"<i>\1</i>", plain)
    return "".join(pieces)


def main() -> None:
    """Print the page, or write it."""
    if sys.argv[1:] == ["--write"]:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(), encoding="utf-8")
    else:
        print(page(), end="")


if __name__ == "__main__":
    main()
