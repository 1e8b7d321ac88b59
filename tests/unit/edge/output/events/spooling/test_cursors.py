"""How far a target is, over kills at any moment."""

from __future__ import annotations

import pytest
from kits.events import Disk, Killed

from edge.output.events.spooling.cursors import Cursors


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.8])
def test_a_kill_while_it_is_written_leaves_what_was_there_before(tmp_path, monkeypatch, share):
    cursors = Cursors(tmp_path)
    assert cursors.open("one", newest=5, oldest=0) == 5
    for done in range(6, 12):
        cursors.store("one", done)
        again = Cursors(tmp_path)
        assert again.open("one", newest=99, oldest=0) == done
        with Disk(calls=0, share=share).in_place(monkeypatch), pytest.raises(Killed):
            again.store("one", done + 50)
        again.close()
        third = Cursors(tmp_path)
        assert third.open("one", newest=99, oldest=0) == done
        third.close()
    cursors.close()


def test_a_damaged_file_begins_at_the_oldest_and_the_furthest_counts(tmp_path):
    cursors = Cursors(tmp_path)
    cursors.open("one", newest=5, oldest=0)
    cursors.open("two", newest=5, oldest=0)
    cursors.store("two", 70)
    cursors.close()
    (tmp_path / "cursor-one").write_bytes(b"\0" * 40)
    cursors = Cursors(tmp_path)
    assert cursors.furthest() == 70
    assert cursors.open("one", newest=99, oldest=0) == 0
    assert cursors.stored("one") is None
    assert cursors.stored("two") is None
    cursors.close()
