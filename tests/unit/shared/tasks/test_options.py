"""What a user tells a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shared.errors import SettingsError
from shared.tasks.options import Options, parse_task

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_task_and_its_options_are_read() -> None:
    cases: dict[str, tuple[str, dict[str, Any]]] = {
        "raw": ("raw", {}),
        "detect:form=yolov8": ("detect", {"form": "yolov8"}),
        " detect : form = boxes , threshold = 0.3 ": ("detect", {"form": "boxes", "threshold": 0.3}),
        "detect:background=-1,flag=true,other=false": (
            "detect",
            {"background": -1, "flag": True, "other": False},
        ),
        "mine:anchors=10:13:16": ("mine", {"anchors": "10:13:16"}),
    }
    for text, expected in cases.items():
        name, options = parse_task(text)
        assert (name, options) == expected, text
        assert [type(each) for each in options.values()] == [type(each) for each in expected[1].values()], (
            text
        )


def test_what_is_no_task_is_refused_in_one_line() -> None:
    many = ",".join(f"a{number}=1" for number in range(65))
    for text in (
        "",
        ":",
        "detect:",
        "Detect",
        "detect:form",
        "detect:form=",
        "detect:a=1,a=2",
        "a b",
        f"a:{many}",
    ):
        with pytest.raises(SettingsError, match=r"accepted: NAME or NAME:option=value") as found:
            parse_task(text)
        assert len(str(found.value).splitlines()) == 1, text
        assert len(str(found.value)) < 300, text
    with pytest.raises(SettingsError):
        parse_task("detect:form=" + "x" * 5000)


def test_options_are_taken_one_by_one() -> None:
    options = Options({"a": 3, "b": 0.5, "c": True, "d": "x", "e": "1:2.5", "f": 7, "g": "p:q"})
    assert options.whole("a", 1, 0, 9) == 3
    assert options.number("b", 0, 0, 1) == 0.5
    assert options.flag("c", default=False) is True
    assert options.choice("d", ("x", "y"), "y") == "x"
    assert options.numbers("e", "", 2) == (1.0, 2.5)
    assert options.numbers("f", "", 2) == (7.0,)
    assert options.words("g", ("p", "q", "r"), "p") == ("p", "q")
    assert options.has("a")
    assert not options.has("z")
    options.refuse_rest()
    default = Options({})
    assert default.whole("a", 1, 0, 9) == 1
    assert default.numbers("e", "", 2) == ()
    assert default.text("t", "u") == "u"


def test_values_that_are_not_accepted_are_named() -> None:
    cases: list[tuple[Any, Callable[[Options], object], str]] = [
        (True, lambda options: options.whole("a", 1, 0, 9), "a=True; accepted: a whole number, 0 to 9"),
        (10, lambda options: options.whole("a", 1, 0, 9), "a=10"),
        (1.0, lambda options: options.whole("a", 1, 0, 9), "a=1.0"),
        ("x", lambda options: options.number("a", 1, 0, 9), "a=x; accepted: 0 to 9"),
        (float("nan"), lambda options: options.number("a", 1, 0, 9), "a=nan"),
        (1, lambda options: options.flag("a", default=True), "accepted: true, false"),
        ("z", lambda options: options.choice("a", ("x", "y"), "x"), "accepted: x, y"),
        ("1:x", lambda options: options.numbers("a", "", 3), "at most 3 numbers"),
        ("1:2:3:4", lambda options: options.numbers("a", "", 3), "at most 3 numbers"),
        ("1:inf", lambda options: options.numbers("a", "", 3), "at most 3 numbers"),
        (True, lambda options: options.numbers("a", "", 3), "at most 3 numbers"),
        ("x:x", lambda options: options.words("a", ("x", "y"), "x"), "each once"),
        ("x:z", lambda options: options.words("a", ("x", "y"), "x"), "each once"),
    ]
    for value, take, message in cases:
        with pytest.raises(ValueError, match=message):
            take(Options({"a": value}))


def test_an_option_that_nobody_takes_is_refused() -> None:
    options = Options({"treshold": 0.5})
    options.number("threshold", 0.4, 0, 1)
    with pytest.raises(ValueError, match="no option treshold; did you mean threshold"):
        options.refuse_rest()
    with pytest.raises(ValueError, match="no option a; there is none"):
        Options({"a": 1}).refuse_rest()
