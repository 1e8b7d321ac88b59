"""A run says which inputs it tries."""

from kits.fuzz.campaign import ROUNDS, SEED


def pytest_report_header() -> str:
    return f"fuzz: seed {SEED}, rounds {ROUNDS:g}"
