"""What is sent cannot act on a terminal, nor make a line of its own."""

from cloud.access.legible import legible


def test_what_acts_is_left_out_and_what_is_long_is_cut():
    for text, expected in (
        ("gate-3", "gate-3"),
        ("a\x1b[2Jb\nc", "a [2Jb c"),
        ("\x9b\u202e", "  "),
        ("x" * 11, "x" * 9 + "…"),
        ("\n" * 11, " " * 9 + "…"),
        ("", ""),
    ):
        assert legible(text, 10) == expected, text
