"""Files of JSON lines, and how many of their lines were lost."""

from __future__ import annotations

import json


def count(errors):
    """Lines that the counter says were lost."""
    (family,) = errors.collect()
    return next(sample.value for sample in family.samples if sample.name == "lines_total")


def lines_of(path):
    """The objects in a file, whose last line has to be whole."""
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]
