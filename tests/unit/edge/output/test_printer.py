"""What a person watching the edge reads."""

from __future__ import annotations

import dataclasses
import io
import itertools
from types import SimpleNamespace

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
        log.now = 50 + number
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


def seeing(number, headline, findings=(("bottle", 0.63), ("person", 0.41)), **changes):
    answer = SimpleNamespace(headline=lambda: headline, findings=lambda: list(findings))
    return dataclasses.replace(record(number, **changes), answer=answer)


def test_a_detectors_line_says_how_many():
    out = io.StringIO()
    print_frame(seeing(12, "2 bottle, 1 person"), out)
    print_frame(seeing(13, "nothing", ()), out)
    print_frame(seeing(14, ", ".join(f"1 thing{number}" for number in range(100))), out)
    told = [line.partition("  cloud  ")[2] for line in out.getvalue().splitlines()]
    assert told[:2] == ["2 bottle, 1 person (63.0 %)", "nothing"]
    assert told[2].startswith("1 thing0, 1 thing1, ")
    assert told[2].endswith("… (63.0 %)")
    assert len(told[2]) < 180, "a terminal stays readable, whatever is seen"


def test_what_comes_and_goes_with_every_frame_is_not_printed_with_every_frame(log):
    """A box at the threshold: 30 frames a second for ten seconds."""
    for number in range(300):
        log.now = 50 + number / 30
        log.printer(seeing(number, f"{1 + (number % 3 == 0)} bottle"))
    changes = [line for line in log.text().splitlines() if "answered by" in line]
    assert changes[0] == "frame 0: 2 bottle (63.0 %), answered by cloud"
    assert 5 <= len(changes) <= 10
    told = [line.partition(": ")[2][:8] for line in changes]
    assert all(first != second for first, second in itertools.pairwise(told)), "each is news"
    passed = sum(int(line.partition("after ")[2].split()[0]) for line in changes[1:])
    assert passed + len(changes) <= 200
    assert passed + len(changes) > 150, "of 200 changes all are told of or counted, but for the last second's"


def test_a_change_that_comes_too_soon_is_printed_when_its_time_has_come(log):
    for number, (seconds, headline) in enumerate(
        [(0, "nothing"), (0.2, "1 bottle"), (0.4, "2 bottle"), (0.6, "2 bottle"), (1.0, "2 bottle")]
    ):
        log.now = 50 + seconds
        log.printer(seeing(number, headline, answered_by="edge" if number == 2 else "cloud"))
    assert log.text().splitlines() == [
        "frame 0: nothing (63.0 %), answered by cloud",
        "frame 2: 2 bottle (63.0 %), answered by edge, after 1 other change",
    ], "of the frame with which it came"


@pytest.mark.parametrize("stay", [True, False])
def test_the_last_change_is_printed_at_the_end(log, stay):
    for number, headline in enumerate(["nothing", "1 bottle", "1 bottle" if stay else "nothing"]):
        log.now += 0.1
        log.printer(seeing(number, headline))
    assert len(log.text().splitlines()) == 1
    log.printer.close()
    rest = log.text().splitlines()[1:]
    assert rest == (["frame 1: 1 bottle (63.0 %), answered by cloud"] if stay else []), (
        "what is there already is not news"
    )


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
