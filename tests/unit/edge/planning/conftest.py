"""Plans of a ResNet-18 that are made without measuring anything."""

from __future__ import annotations

import pytest
from kits.choices import Choosing, chain_of, no_survey

from edge.planning import choices
from edge.planning.making import known_options


@pytest.fixture
def surveys(monkeypatch):
    """The pictures and codecs of each survey; nothing is measured."""
    found = []
    monkeypatch.setattr(known_options, "survey", no_survey(found))
    monkeypatch.setattr(choices, "segmented", chain_of)
    return found


@pytest.fixture
def make(surveys, tmp_path):
    """The plans of a ResNet-18 with these settings: names of codecs by split point."""
    return Choosing(tmp_path / "cache")
