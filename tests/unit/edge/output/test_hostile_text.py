"""Whatever an answer says, no terminal does anything, and no line looks like another."""

from __future__ import annotations

import io

from kits.edge import record

from edge.output.printer import ProgressPrinter, print_frame
from edge.output.summary import Summary

ATTACK = "\x1b]0;owned\x07\x1b[2J\nframe 0 FORGED \u202e"


def shows(number):
    """As a task of another package may, which names what it finds as it likes."""
    return record(number, top=[{"class_id": 1, "label": ATTACK, "probability": 0.875}])


def harmless(text):
    assert "FORGED" in text
    assert text.replace("\n", "").isprintable()
    assert not any(line.startswith("frame 0 FORGED") for line in text.splitlines())
    return True


def test_a_frames_line():
    out = io.StringIO()
    print_frame(shows(3), out)
    assert harmless(out.getvalue())


def test_the_progress():
    now, out = [50.0], io.StringIO()
    printer = ProgressPrinter(out, clock=lambda: now[0])
    for number in range(3):
        printer(shows(number))
        now[0] += 10
    printer.close()
    assert harmless(out.getvalue())


def test_the_summary():
    summary = Summary()
    summary(shows(0))
    assert harmless(summary.text({"camera": 0}, 10.0).replace("…", "FORGED"))
