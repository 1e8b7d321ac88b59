"""A source of another package that fails, or gives something other than pictures."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from edge.sources.base import InstalledSource
from shared.errors import SettingsError, SourceError

PICTURE = np.zeros((4, 6, 3), np.uint8)


def raising(error):
    def fail():
        raise error

    return fail


def source(**methods):
    given = {
        "live": False,
        "name": "screen",
        "open": lambda: None,
        "read": lambda: None,
        "close": lambda: None,
    }
    return InstalledSource(SimpleNamespace(**given | methods))


def test_whatever_it_raises_is_a_source_error_in_one_line():
    """A traceback would end the start of an edge; an exit on the thread that reads would look like the end of the source."""
    for error, text in (
        (ValueError("two\nlines"), "ValueError: two lines"),
        (KeyError("x"), "KeyError: 'x'"),
        (SystemExit(3), "SystemExit: 3"),
    ):
        for method in ("open", "read", "close"):
            with pytest.raises(SourceError) as caught:
                getattr(source(**{method: raising(error)}), method)()
            assert str(caught.value) == f"screen: {method} failed: {text}"


def test_what_it_refuses_by_itself_stays_as_it_said():
    for error in (SourceError("the screen is locked"), SettingsError("no such display")):
        with pytest.raises(type(error)) as caught:
            source(open=raising(error)).open()
        assert caught.value is error


def test_what_is_no_picture_is_named():
    for frame, text in (
        (PICTURE[:, :, 0], "(4, 6) uint8"),
        (PICTURE[:, :, :1], "(4, 6, 1) uint8"),
        (PICTURE[:0], "(0, 6, 3) uint8"),
        (PICTURE.astype(float), "(4, 6, 3) float64"),
        ([1], "list"),
    ):
        with pytest.raises(SourceError) as caught:
            source(read=lambda frame=frame: frame).read()
        assert str(caught.value) == f"screen: it gave {text}; a frame is an array (H, W, 3) uint8"


def test_pictures_come_in_c_order_and_uncopied_where_they_are():
    assert source(read=lambda: PICTURE).read().picture is PICTURE
    turned = source(read=lambda: PICTURE[:, :, ::-1]).read().picture
    assert turned.flags.c_contiguous
    assert source().read() is None


def test_its_name_is_one_line_and_its_pace_a_truth():
    assert (source(name="a\nb").name, source(name=5).name) == ("a b", "5")
    assert source(live=1).live is True
