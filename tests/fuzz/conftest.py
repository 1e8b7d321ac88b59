"""A run says which inputs it tries, and how many of them it left out."""

import pytest
from kits.fuzz.campaign import NOTES, ROUNDS, SEED


def pytest_report_header() -> str:
    return f"fuzz: seed {SEED}, rounds {ROUNDS:g}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    if call.when == "call":
        item.user_properties += [("cut short", note) for note in NOTES]
        NOTES.clear()
    return (yield)


def pytest_terminal_summary(terminalreporter):
    notes = [
        note
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, note in getattr(report, "user_properties", ())
        if name == "cut short"
    ]
    if notes:
        terminalreporter.section("cut short, as this machine is busy")
        for note in dict.fromkeys(notes):
            terminalreporter.line(note)
