"""A part of the table of `make media`, one chapter a test."""

from __future__ import annotations

import pytest
from kits.media.chapters import NAMES, chapters
from kits.media.report import outcome_of

LEAST_SHORT = 40
LEAST = 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("media")


@pytest.mark.parametrize("chapter", NAMES)
def test_every_frame_is_as_ffmpeg_shows_it_or_what_is_wrong_is_said(chapter, folder):
    rows = [row for row in chapters()[chapter] if row.short]
    assert rows, "nothing of this chapter is read"
    wrong = {row.name: found for row in rows if (found := outcome_of(row, folder).misses)}
    assert wrong == {}


def test_the_table_is_long_enough():
    rows = [row for rows in chapters().values() for row in rows]
    names = [row.name for row in rows]
    assert len(names) == len(set(names)), sorted(name for name in set(names) if names.count(name) > 1)
    assert len(rows) >= LEAST
    assert sum(row.short for row in rows) >= LEAST_SHORT
