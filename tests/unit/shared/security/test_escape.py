"""What comes from the network acts on no terminal, and forges no line."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.security.escape import escaped, escaped_json, escaped_lines, refuse_constant, shown

ATTACK = "\x1b]0;owned\x07\x1b[2J\nframe 0 FORGED"
ACTING = [
    *map(chr, range(9)),
    *map(chr, range(10, 32)),
    *map(chr, range(0x7F, 0xA0)),
    *"\u2028\u2029\u202e\u2066\u061c\u200e\u200f",
    *"\xad\u180e\u200b\u2060\u2064\u206f\ufeff\ufffb\U000e0001\U000e0041",
]
SEEN = ["cock", "coq domestique", "петух", "雄鶏", "🐓", "👩\u200d🔬", "à", "می‌خواهم", "a\tb", "50 % …", ""]


def test_what_acts_is_seen_instead() -> None:
    assert escaped(ATTACK) == r"\x1b]0;owned\x07\x1b[2J\nframe 0 FORGED"
    assert escaped("\u202egnp.exe") == r"\u202egnp.exe"
    for each in ACTING:
        for written in (
            escaped(f"a{each}b"),
            shown(f"a{each}b"),
            escaped_lines(f"a{each}b").replace("\n", ""),
        ):
            assert each not in written, repr(each)
            assert written.isprintable(), repr(each)


def test_names_in_any_language_stay_as_they_are() -> None:
    for each in SEEN:
        assert escaped(each) == each, each
        assert escaped_json(json.dumps(each, ensure_ascii=False)) == json.dumps(each, ensure_ascii=False), (
            each
        )


def test_of_what_is_deep_or_long_the_beginning_is_shown() -> None:
    deep: object = "x"
    for _ in range(100_000):
        deep = [deep]
    assert shown(deep) == "[[[[[[[...]]]]]]]"
    assert shown({"a": [deep]}).startswith("{'a': [[[")
    assert shown([10**4000] * 100) == shown([10**4000] * 7)
    assert shown(["\x1b[2J", None]) == r"['\x1b[2J', None]"


def test_lines_stay_lines_and_nothing_else_does() -> None:
    assert escaped_lines("a\nb\r\x1b[2Jc\n") == "a\nb\\r\\x1b[2Jc\n"


@given(st.text(), st.integers(0, 40))
def test_what_is_shown_is_short_and_can_be_printed(text: str, most: int) -> None:
    found = shown(text, most)
    assert len(found) == min(most, len(text))
    assert found.isprintable()


@given(st.text())
def test_nothing_that_acts_gets_through(text: str) -> None:
    for each in escaped(text):
        assert each == "\t" or unicodedata.category(each) not in ("Cc", "Cs", "Zl", "Zp"), repr(each)
    escaped(text).encode()


@given(st.dictionaries(st.text(), st.text()))
def test_json_means_the_same_and_is_one_line_for_every_reader(value: dict[str, str]) -> None:
    found = escaped_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(found) == value
    assert len(found.splitlines()) == 1
    for each in found:
        assert unicodedata.category(each) != "Cc", repr(each)
        assert each not in ACTING, repr(each)


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_is_none_is_no_json(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is no JSON"):
        json.loads(f"[{name}]", parse_constant=refuse_constant)
