"""Where a run keeps its events, and what of the settings is refused."""

from __future__ import annotations

import threading

import pytest
from kits.edge import settings_of

from edge.metrics import EdgeMetrics
from edge.output.events.opening import open_events
from edge.output.outputs import open_outputs
from shared.errors import SettingsError

LIVE = {"camera": True}
BROKER = "mqtt://127.0.0.1:1883"


def opened(**settings):
    return open_events(settings_of(**settings), EdgeMetrics(), LIVE)


def test_without_anybody_to_tell_nothing_is_opened(tmp_path):
    assert opened(cache_dir=str(tmp_path)) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("named", [False, True])
def test_events_wait_in_the_cache_or_where_it_is_said(tmp_path, named):
    cache, other = tmp_path / "cache", tmp_path / "other"
    settings = {"events_folder": str(other)} if named else {}
    events = opened(events=BROKER, cache_dir=str(cache), **settings)
    assert (other if named else cache / "events").is_dir()
    assert cache.exists() is not named
    events.close()


@pytest.mark.parametrize("cache", ["", "~nobody-of-this-name/cache"])
def test_without_a_cache_a_folder_has_to_be_named(cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="give --events-folder one that can be written to"):
        opened(events=BROKER, cache_dir=cache)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_another_edge_has_leaves_no_records_open(tmp_path):
    first = opened(events=BROKER, cache_dir=str(tmp_path))
    settings = settings_of(events=BROKER, cache_dir=str(tmp_path), results=str(tmp_path / "out.jsonl"))
    with pytest.raises(SettingsError, match="another process keeps its events there"):
        open_outputs(settings, EdgeMetrics(), LIVE)
    assert "records" not in {thread.name for thread in threading.enumerate()}
    first.close()
    again = opened(events=BROKER, cache_dir=str(tmp_path))
    again.close()
