"""The closing summary."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from kits.edge import record

from edge.output import summary as module
from edge.output.summary import Summary
from shared.tasks.classify import Classes
from shared.tasks.detection.boxes import Boxes, boxes_of
from shared.tasks.raw import Outputs
from shared.tasks.segmentation.class_map import class_map


def rows(text):
    return {line[:18].strip(): line[18:].split() for line in text.splitlines() if line}


def summarise(records, dropped=0, seconds=10.0):
    summary = Summary()
    for each in records:
        summary(each)
    return summary.text({"camera": dropped}, seconds)


def test_frames_add_up():
    answered = ["cloud"] * 5 + ["edge"] * 3 + ["nobody"]
    found = rows(
        summarise([record(n, answered_by=by) for n, by in enumerate(answered)], dropped=11, seconds=4)
    )
    assert found["frames in"] == ["20"]
    assert found["answered by cloud"] == ["5"]
    assert found["answered by edge"] == ["3"]
    assert found["dropped"] == ["11"]
    assert found["failed"] == ["1"]
    assert found["frames/s"] == ["2.25"], "of those that were answered"


def test_still_frames_are_counted_apart():
    """They cost nothing, so they are no part of any rate, mean or percentile, but for the one that says so."""
    sent = [record(n, payload_bytes=8000, latency_ms=40.0) for n in range(4)]
    still = [record(n, answered_by="still", repeats=3, payload_bytes=0, latency_ms=5.0) for n in range(4, 16)]
    found = rows(summarise(sent + still, dropped=1, seconds=2))
    assert found["frames in"] == ["17"]
    assert found["answered by cloud"] == ["4"]
    assert found["still, not sent"] == ["12"]
    assert found["frames/s"] == ["2.00"]
    assert found["bytes/frame"] == ["8", "kB"]
    assert found["with the still"] == ["2", "kB"]
    assert found["latency p50 / p95"] == ["40.0", "/", "40.0", "ms"]
    assert "still" not in summarise(sent)


def test_nothing_failed_is_not_worth_a_line():
    assert "failed" not in summarise([record(0)])


def test_what_could_not_be_decoded_and_what_was_made_up_are_counted():
    summary = Summary(["camera"])
    for number in range(4):
        summary(record(number, damaged=number == 1))
    found = rows(summary.text({}, 10.0, undecodable={"camera": 3}, left_out=5))
    assert (found["undecodable"], found["damaged"], found["left out"]) == (["3"], ["1"], ["5"])
    assert found["frames in"] == ["4"]
    assert "camera" not in found, "one needs no table"


def test_each_of_several_cameras_has_a_line():
    summary = Summary(["gate", "yard", "a-name-that-is-rather-long"])
    for number in range(12):
        by = "nobody" if number == 11 else ("cloud", "edge", "still")[number % 3]
        summary(record(number, camera="gate", answered_by=by, latency_ms=float(number)))
    summary(record(0, camera="yard", latency_ms=7.0))
    text = summary.text({"gate": 5}, 4.0, undecodable={"yard": 2})
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("camera"))
    assert [line.split() for line in lines[start : start + 4]] == [
        ["camera", "in", "cloud", "edge", "still", "dropped", "undecodable", "frames/s", "p50", "ms"],
        ["gate", "17", "4", "4", "3", "5", "0", "2.25", "6.0"],
        ["yard", "1", "1", "0", "0", "0", "2", "0.25", "7.0"],
        ["a-name-that-is-rather-long", "0", "0", "0", "0", "0", "0", "0.00", "-"],
    ], "those without a frame as well"
    assert len({len(line) for line in lines[start : start + 4]}) == 1, "a table"
    assert rows(text)["frames in"] == ["18"]


def test_each_of_several_clouds_has_a_line():
    summary = Summary(["camera"], ["http://a:8881", "https://a-name-that-is-rather-long", "http://c"])
    for number in range(6):
        by = ("http://a:8881", "https://a-name-that-is-rather-long", None)[number % 3]
        summary(record(number, answered_by="cloud" if by else "edge", cloud=by, latency_ms=float(number)))
    lines = summary.text({}, 4.0).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("cloud "))
    assert [line.split() for line in lines[start : start + 4]] == [
        ["cloud", "answers", "p50", "ms", "p95", "ms"],
        ["http://a:8881", "2", "1.5", "2.9"],
        ["https://a-name-that-is-rather-long", "2", "2.5", "3.9"],
        ["http://c", "0", "-", "-"],
    ]
    assert len({len(line) for line in lines[start : start + 4]}) == 1, "a table"
    one = Summary(["camera"], ["http://a:8881"])
    one(record(0))
    assert "http://a:8881" not in one.text({}, 4.0), "one needs no table"


def test_percentiles_and_bytes():
    records = [
        record(n, latency_ms=float(n), payload_bytes=1000 * (n % 2), stages_ms={"head": n / 10})
        for n in range(101)
    ]
    found = rows(summarise(records))
    assert found["latency p50 / p95"] == ["50.0", "/", "95.0", "ms"]
    assert found["bytes/frame"] == ["495", "B"]
    assert found["head"] == ["5.0", "9.5"]
    assert found["step"] == ["p50", "ms", "p95", "ms"]


def test_steps_appear_in_the_order_of_the_way_and_count_only_where_they_were():
    text = summarise(
        [
            record(0, stages_ms={"head": 2.0, "send": 8.0, "cloud.tail": 3.0}),
            record(1, stages_ms={"head": 4.0, "tail": 5.0}),
        ]
    )
    assert [line.split()[0] for line in text.splitlines()[-4:]] == ["head", "send", "cloud.tail", "tail"]
    assert rows(text)["send"] == ["8.0", "8.0"]
    assert rows(text)["head"] == ["3.0", "3.9"]


def seeing(number, *names, **changes):
    return dataclasses.replace(record(number, **changes), answer=SimpleNamespace(shows=lambda: names))


def test_what_was_seen_and_in_how_many_frames():
    records = [
        seeing(0, "bottle", "bottle"),
        seeing(1, "bottle", "person"),
        seeing(2),
        seeing(3, "bottle", answered_by="still"),
    ]
    found = rows(summarise(records))
    assert found["seen"] == ["frames"]
    assert (found["bottle"], found["person"]) == (["3"], ["1"]), "frames, not boxes"
    assert "seen" not in summarise([seeing(0)]), "nothing was"


def test_of_classes_the_most_probable_was_seen():
    top = [
        {"class_id": number, "label": label, "probability": 0.5} for number, label in enumerate(["hen", "ox"])
    ]
    found = rows(
        summarise([record(0, top=top), record(1, top=top[::-1]), record(2, top=top), record(3, top=[])])
    )
    assert (found["hen"], found["ox"]) == (["2"], ["1"])


def test_every_built_in_task_says_what_a_frame_shows():
    boxes = boxes_of(
        np.array([[0.0, 0, 4, 4], [1, 1, 3, 3], [2, 2, 5, 5]]),
        (0.9, 0.8, 0.7),
        (1, 0, 1),
        ("hen", "ox").__getitem__,
        (8, 8),
    )
    sizes = class_map(np.array([[0] * 150, [2] * 149 + [1]]), ("ground", "dot", "sky"), (150, 2))
    answers = [boxes, Boxes(), sizes, Outputs(()), Classes()]
    found = rows(
        summarise([dataclasses.replace(record(number), answer=each) for number, each in enumerate(answers)])
    )
    seen = {name: found[name] for name in ("hen", "ox", "ground", "dot", "sky") if name in found}
    assert seen == {"hen": ["1"], "ox": ["1"], "ground": ["1"], "sky": ["1"]}, (
        "a dot is less than a hundredth"
    )


def test_of_many_names_the_most_frequent_are_shown(monkeypatch):
    records = [seeing(number, *(f"thing {each}" for each in range(number, 15))) for number in range(15)]
    records.append(seeing(15, "a name that is much longer than the column of names is wide"))
    lines = summarise(records).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("seen"))
    assert [line.split()[-1] for line in lines[start + 1 : start + 11]] == [str(n) for n in range(15, 5, -1)]
    assert lines[start + 11] == "and 6 more"
    assert max(map(len, lines[start : start + 12])) <= 36
    monkeypatch.setattr(module, "_MAX_REMEMBERED", 3)
    assert "and 1 more" not in summarise(records)
    assert len([line for line in summarise(records).splitlines() if line.startswith("thing")]) == 3


@pytest.mark.parametrize("dropped", [0, 3])
def test_a_run_without_a_single_answer(dropped):
    text = summarise([], dropped=dropped)
    assert rows(text) == {
        "frames in": [str(dropped)],
        "answered by cloud": ["0"],
        "answered by edge": ["0"],
        "dropped": [str(dropped)],
    }


def test_a_single_frame():
    assert rows(summarise([record(0)]))["latency p50 / p95"] == ["40.0", "/", "40.0", "ms"]


def test_a_camera_that_runs_for_months_fits(monkeypatch):
    monkeypatch.setattr(module, "_MAX_REMEMBERED", 100)
    summary = Summary()
    for number in range(1000):
        summary(record(number, latency_ms=float(number)))
    assert len(summary._latencies) <= 100
    assert all(len(values) <= 100 for values in summary._steps.values())
    found = rows(summary.text({}, 10.0))
    assert found["answered by cloud"] == ["1000"], "counts are of all"
    assert found["latency p50 / p95"][0] == "949.5", "percentiles of the latest"
