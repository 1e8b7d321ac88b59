"""Fixtures of the uplink's tests: waits that are shorter than a user's."""

from __future__ import annotations

import pytest

from edge.uplink import circuit
from edge.uplink.profiles import upload as profiles


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(circuit, "_PROBE_PERIOD_S", 0.002)
    monkeypatch.setattr(circuit, "COOL_DOWN_S", 0.002)


@pytest.fixture
def no_pause(monkeypatch):
    monkeypatch.setattr(profiles, "PAUSE_S", 0.0)
