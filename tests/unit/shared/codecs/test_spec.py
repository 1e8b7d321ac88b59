"""`name:key=value,key=value`, as codecs and synthetic sources are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.codecs.spec import parse_spec, refuse_rest, take_number, take_whole
from shared.errors import SettingsError

words = st.text(st.characters(exclude_characters=":,=", exclude_categories=["Cs"]), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("int8", ("int8", {})),
        ("int8:", ("int8", {})),
        ("jpeg:quality=90", ("jpeg", {"quality": "90"})),
        ("pattern:width=64,fps=5", ("pattern", {"width": "64", "fps": "5"})),
        ("x:a=b=c", ("x", {"a": "b=c"})),
        ("rtsp://camera/1", ("rtsp", None)),
        ("", ("", {})),
    ],
)
def test_a_spec_is_a_name_and_its_options(text: str, parsed: tuple[str, dict[str, str] | None]) -> None:
    if parsed[1] is None:
        with pytest.raises(SettingsError):
            parse_spec(text)
    else:
        assert parse_spec(text) == parsed


@given(words, st.dictionaries(words, words, max_size=4))
def test_what_is_written_is_read(name: str, options: dict[str, str]) -> None:
    text = f"{name}:" + ",".join(f"{key}={value}" for key, value in options.items())
    assert parse_spec(text) == (name, options)


@pytest.mark.parametrize("item", ["90", "quality", "=90", "quality="])
def test_an_option_that_is_not_key_and_value_is_refused_by_name(item: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        parse_spec(f"jpeg:{item}")
    assert f"cannot read {item!r}" in str(refusal.value)
    assert "name:key=value,key=value" in str(refusal.value)


def test_an_option_given_twice_is_refused() -> None:
    with pytest.raises(SettingsError, match="cannot read 'q=2'"):
        parse_spec("jpeg:q=1,q=2")


@pytest.mark.parametrize(("text", "value"), [("1", 1.0), ("9", 9.0), ("2.5", 2.5), ("1e0", 1.0)])
def test_a_number_within_its_range_is_taken_and_removed(text: str, value: float) -> None:
    options = {"level": text, "other": "x"}
    assert take_number(options, "level", 5, 1, 9) == value
    assert options == {"other": "x"}


def test_a_number_that_is_not_given_is_the_default() -> None:
    assert take_number({}, "level", 5, 1, 9) == 5


@pytest.mark.parametrize("text", ["0.99", "9.01", "-1", "nan", "inf", "1e999"])
def test_a_number_out_of_range_is_refused_with_the_range(text: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        take_number({"level": text}, "level", 5, 1, 9)
    assert str(refusal.value) == f"level={text}: out of range; accepted: 1 to 9"


def test_what_is_not_a_number_is_refused_with_the_range() -> None:
    with pytest.raises(SettingsError, match="level=high: not a number; accepted: 1 to 9"):
        take_number({"level": "high"}, "level", 5, 1, 9)


def test_options_that_are_left_over_are_refused_by_name() -> None:
    refuse_rest("int8", {}, [])
    with pytest.raises(SettingsError, match=r"^int8 has no option a, b; accepted: none$"):
        refuse_rest("int8", {"b": "1", "a": "2"}, [])
    with pytest.raises(SettingsError, match=r"^jpeg has no option q; accepted: quality, subsampling$"):
        refuse_rest("jpeg", {"q": "1"}, ["quality", "subsampling"])


def test_a_whole_number_is_one():
    assert take_whole({"level": "3"}, "level", 1, 1, 9) == 3
    assert take_whole({}, "level", 1, 1, 9) == 1
    with pytest.raises(SettingsError, match=r"level=1\.5: not a whole number; accepted: 1 to 9"):
        take_whole({"level": "1.5"}, "level", 1, 1, 9)
