"""`python -m bench events` in miniature: whole, and with a receiver that keeps an event for itself."""

from __future__ import annotations

import json

import pytest

from bench.soak.events import command

pytestmark = pytest.mark.slow

SMALL = ["--frames=1600", "--rounds=2", "--rate=1000", "--patience=60", "--busy"]


def test_nothing_is_lost_while_targets_fail(tmp_path, capsys):
    assert command.main([*SMALL, f"--results={tmp_path / 'results'}", f"--folder={tmp_path / 'kept'}"]) == 0
    for name in ("broker", "receiver"):
        lines = (tmp_path / "kept" / f"{name}.jsonl").read_text().splitlines()
        assert len({json.loads(line)["id"] for line in lines}) > 20, name
    shown = capsys.readouterr().out
    assert "| broker |" in shown
    assert (tmp_path / "results" / "events.md").is_file()


def test_an_event_that_did_not_arrive_is_a_broken_promise(tmp_path, capsys, monkeypatch):
    read = command._read

    def without_the_first(path):
        found = list(read(path))
        return [each for each in found if each["id"] != found[0]["id"]]

    monkeypatch.setattr(command, "_read", without_the_first)
    assert command.main([*SMALL, f"--results={tmp_path / 'results'}"]) == 1
    assert "broken: broker: difference 1" in capsys.readouterr().err
