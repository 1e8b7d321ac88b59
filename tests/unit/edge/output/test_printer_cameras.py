"""What is printed of several cameras."""

from __future__ import annotations

import io

from kits.edge import record

from edge.output.printer import ProgressPrinter, print_frame


def top(label):
    return [{"class_id": 1, "label": label, "probability": 0.875}]


def test_of_several_cameras_a_line_begins_with_its_camera():
    out = io.StringIO()
    print_frame(record(12, camera="gate"), out, several=True)
    assert out.getvalue().startswith("gate: frame     12  layer3 ")


def test_of_several_cameras_each_has_its_own_changes():
    """Two that look at different things are not a change with every frame."""
    out, seconds = io.StringIO(), iter(range(1000))
    printer = ProgressPrinter(out, clock=lambda: next(seconds) / 4, several=True)
    for number in range(12):
        printer(record(number, top=top("hen" if number < 10 else "cock"), camera="gate"))
        printer(record(3 * number, top=top("ox"), camera="yard"))
    assert out.getvalue().splitlines() == [
        "gate: frame 0: hen (87.5 %), answered by cloud",
        "yard: frame 0: ox (87.5 %), answered by cloud",
        "20 frames  4.0 frames/s  79.5 kB/frame  40 ms  layer3 int8+zstd  by edge 0 %  yard: ox",
        "gate: frame 10: cock (87.5 %), answered by cloud",
    ]
