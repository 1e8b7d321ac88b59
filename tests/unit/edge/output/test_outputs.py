"""Where the records of a run's cameras go."""

from __future__ import annotations

import json
import sys

import pytest
from kits.edge import record, settings_of

from edge.metrics import EdgeMetrics
from edge.output.outputs import no_run, open_outputs
from shared.errors import SettingsError


def written(settings, cameras, records):
    outputs = open_outputs(settings, EdgeMetrics(), cameras)
    for each in records:
        for sink in outputs.sinks:
            sink(each)
    outputs.close()
    return outputs


def held(path):
    return [(line["camera"], line["frame"]) for line in map(json.loads, path.read_text().splitlines())]


def test_one_file_for_all_cameras_or_one_for_each(tmp_path):
    cameras = {"gate": True, "yard": True}
    records = [record(number, camera=("gate", "yard")[number % 2]) for number in range(6)]
    written(settings_of(results=str(tmp_path / "all"), show="quiet"), cameras, records)
    assert held(tmp_path / "all") == [(("gate", "yard")[number % 2], number) for number in range(6)]
    written(settings_of(results=str(tmp_path / "of-{camera}"), show="quiet"), cameras, records)
    assert held(tmp_path / "of-gate") == [("gate", number) for number in (0, 2, 4)]
    assert held(tmp_path / "of-yard") == [("yard", number) for number in (1, 3, 5)]


def test_a_file_is_replaced_if_all_its_records_can_be_made_again(tmp_path):
    for cameras, together, apart in (
        ({"a": False, "b": False}, 1, {"a": 1, "b": 1}),
        ({"a": True, "b": False}, 2, {"a": 2, "b": 1}),
        ({"a": True, "b": True}, 2, {"a": 2, "b": 2}),
    ):
        for name, expected in {"all": together, **apart}.items():
            pattern = "all" if name == "all" else "of-{camera}"
            path = tmp_path / pattern.replace("{camera}", name)
            for _ in range(2):
                path.write_text('{"camera":"a","frame":0}\n')
                written(
                    settings_of(results=str(tmp_path / pattern), show="quiet"),
                    cameras,
                    [record(1, camera="a" if name == "all" else name)],
                )
            assert len(held(path)) == expected, (cameras, name)


def test_one_camera_file_that_cannot_be_opened_is_named(tmp_path):
    (tmp_path / "yard").write_text("no records")
    with pytest.raises(SettingsError, match="yard: this file exists and holds no results; give --results"):
        open_outputs(
            settings_of(results=str(tmp_path / "{camera}")), EdgeMetrics(), {"gate": True, "yard": True}
        )


def test_people_read_stderr_where_programs_read_stdout(capsys):
    for show, told in (("frames", "frame      3 "), ("changes", "frame 3: cock"), ("quiet", "")):
        outputs = written(settings_of(results="-", show=show), {"camera": True}, [record(3)])
        assert outputs.people is sys.stderr
        out, errors = capsys.readouterr()
        assert json.loads(out)["frame"] == 3
        assert errors.startswith(told)
    outputs = written(settings_of(show="frames"), {"camera": True, "b": True}, [record(3)])
    assert outputs.records is None
    assert capsys.readouterr().out.startswith("camera: frame      3 ")


def test_where_no_run_came_about_no_file_holds_records(tmp_path):
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text('{"frame":1}\n')
    no_run(settings_of(results=str(tmp_path / "{camera}.jsonl")), ["a", "b", "c"])
    names = sorted(path.name for path in tmp_path.iterdir())
    assert [name[:3] for name in names] == ["a-2", "b-2"]
    for results in (None, "-", str(tmp_path / "none" / "x"), str(tmp_path)):
        no_run(settings_of(results=results), ["a"])
    assert sorted(path.name for path in tmp_path.iterdir()) == names
