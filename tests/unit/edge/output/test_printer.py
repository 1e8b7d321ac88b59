"""What a person watching the edge reads."""

from __future__ import annotations

import dataclasses
import io

import pytest
from kits.edge import record

from edge.output.printer import ProgressPrinter, human_bytes, print_frame


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Kit:
    def __init__(self, out):
        self.now = 50.0
        self.out = out
        self.printer = ProgressPrinter(out, clock=lambda: self.now)

    def give(self, number, label="cock", **changes):
        top = [{"class_id": 1, "label": label, "probability": 0.875}] if label else []
        self.printer(record(number, top=top, **changes))

    def text(self):
        return self.out.getvalue()


@pytest.fixture
def log():
    return Kit(io.StringIO())


@pytest.fixture
def terminal():
    return Kit(Terminal())


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (812, "812 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (79_500, "79.5 kB"),
        (1_605_632, "1.61 MB"),
        (2.5, "2 B"),
    ],
)
def test_bytes_for_people(count, text):
    assert human_bytes(count) == text


def test_a_line_a_frame():
    out = io.StringIO()
    more = [
        {"class_id": 1, "label": "hen", "probability": 0.5},
        {"class_id": 2, "label": "ox", "probability": 0.25},
    ]
    print_frame(record(12, top=more, latency_ms=41.6), out)
    print_frame(record(13, top=[], answered_by="nobody", payload_bytes=0), out)
    first, second = out.getvalue().splitlines()
    assert first == "frame     12  layer3 int8+zstd 79.5 kB  42 ms  cloud  hen 50.0 %, ox 25.0 %"
    assert second == "frame     13  layer3 int8+zstd 0 B  40 ms  nobody  no answer"


def test_a_frame_is_printed_to_the_stdout_of_the_moment(capsys):
    print_frame(record(1))
    assert capsys.readouterr().out.startswith("frame      1 ")


def test_the_top_class_is_printed_as_it_changes(log):
    for number, label in enumerate(["hen", "hen", "ox", "ox", "hen"]):
        log.give(number, label, answered_by="edge" if number == 2 else "cloud")
    assert log.text().splitlines() == [
        "frame 0: hen (87.5 %), answered by cloud",
        "frame 2: ox (87.5 %), answered by edge",
        "frame 4: hen (87.5 %), answered by cloud",
    ]


def test_the_answer_of_any_task_has_a_headline(log):
    class Boxes:
        def headline(self):
            return "2 cars"

        def findings(self):
            return []

    log.printer(dataclasses.replace(record(4), answer=Boxes()))
    assert log.text() == "frame 4: 2 cars, answered by cloud\n"


def test_a_frame_without_an_answer_changes_nothing(log):
    log.give(0, "hen")
    log.give(1, None, answered_by="nobody")
    log.give(2, "hen")
    assert len(log.text().splitlines()) == 1


def test_a_log_gets_a_progress_line_every_few_seconds(log):
    for number in range(24):
        log.now += 0.5
        log.give(number, payload_bytes=2000, answered_by="edge" if number % 4 == 0 else "cloud")
    progress = [line for line in log.text().splitlines() if "frames/s" in line]
    assert progress == [
        "10 frames  2.0 frames/s  2 kB/frame  40 ms  layer3 int8+zstd  by edge 30 %  cock",
        "20 frames  2.0 frames/s  2 kB/frame  40 ms  layer3 int8+zstd  by edge 18 %  cock",
    ]
    assert "\x1b" not in log.text()
    assert "\r" not in log.text()
    before = log.text()
    log.printer.close()
    assert log.text() == before


def test_still_frames_are_counted_apart(log):
    for number in range(12):
        log.now += 0.5
        sent = number % 4 == 0
        log.give(
            number,
            answered_by="cloud" if sent else "still",
            payload_bytes=2000 if sent else 0,
            latency_ms=40.0 if sent else 5.0,
        )
    (progress,) = [line for line in log.text().splitlines() if "frames/s" in line]
    assert (
        progress
        == "10 frames  0.4 frames/s  2 kB/frame  40 ms  layer3 int8+zstd  by edge 0 %  still 70 %  cock"
    )


def test_a_scene_that_was_still_all_the_time_has_no_rate(log):
    for number in range(12):
        log.now += 0.5
        log.give(number, answered_by="still", payload_bytes=0)
    (progress,) = [line for line in log.text().splitlines() if "frames/s" in line]
    assert (
        progress
        == "10 frames  0.0 frames/s  0 B/frame  0 ms  layer3 int8+zstd  by edge 0 %  still 100 %  cock"
    )


def test_a_terminal_has_one_progress_line_that_is_rewritten(terminal):
    terminal.give(0)
    for number in range(1, 5):
        terminal.now += 0.25
        terminal.give(number)
    terminal.give(5, "ox")
    terminal.printer.close()
    pieces = terminal.text().split("\r\x1b[K")
    assert pieces[1] == "frame 0: cock (87.5 %), answered by cloud\n"
    assert [piece.split("  ")[:2] for piece in pieces[2:6]] == [
        [f"{n} frames", "4.0 frames/s"] for n in range(2, 6)
    ]
    assert pieces[6] == "frame 5: ox (87.5 %), answered by cloud\n\n"


def test_the_rate_is_that_of_the_last_seconds(log):
    for number in range(60):
        log.now += 0.1
        log.give(number)
    log.now += 60
    log.give(60)
    log.now += 5
    log.give(61)
    assert "62 frames  0.2 frames/s" in log.text()


def test_one_frame_is_no_rate(terminal):
    terminal.now += 10
    terminal.give(0)
    assert "1 frames  0.0 frames/s" in terminal.text()


def test_what_is_remembered_is_bounded(log):
    for number in range(5000):
        log.give(number)
    assert len(log.printer._recent) <= 1000
