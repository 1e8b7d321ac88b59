"""Records and ledgers are read on terminals as well."""

from __future__ import annotations

from kits.json_lines import lines_of


def test_a_line_shown_on_a_terminal_is_one_line_that_does_nothing(make, path):
    """JSON itself leaves DEL, the second set of control characters, and line ends and directions of Unicode as they are."""
    odd = {"top": [{"label": "\x1b[2J\x9b2J\x7f\u2028\u202egnp \u2066ü 雄鶏"}]}
    make(path).write(odd)
    text = path.read_text(encoding="utf-8")
    assert text.removesuffix("\n").isprintable()
    assert "ü 雄鶏" in text
    assert lines_of(path) == [odd]
