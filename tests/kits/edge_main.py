"""`python -m edge` in this process: arguments of small, quick runs, and how its log lines look."""

from __future__ import annotations

import re

from kits.bundles import tiny

LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARNING|ERROR) +[\w.]+: .+")
SMALL = [
    "--model",
    str(tiny().folder),
    "--status-port",
    "0",
    "--threads",
    "1",
    "--precision",
    "float32",
]
NOWHERE = ["--cloud-url", "http://127.0.0.1:1"]
SHORT = ["--source", "synthetic:fps=0,frames=3,width=64,height=48"]
ENDLESS = ["--source", "synthetic:fps=0,width=64,height=48"]


def refused(edge, *arguments):
    """The one line that refuses these arguments."""
    status, out, errors = edge(*arguments)
    assert status == 2
    assert out == ""
    assert len(errors) == 1, errors
    assert errors[0].startswith("splitdnn: ")
    return errors[0].removeprefix("splitdnn: ")
