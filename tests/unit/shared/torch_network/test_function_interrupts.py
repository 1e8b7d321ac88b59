"""A network's code that raises what is no Exception: one line, unless it may be the user's own interrupt."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from shared.errors import ModelError
from shared.network.choice import NetworkChoice
from shared.torch_network.source import build

if TYPE_CHECKING:
    from pathlib import Path

CODE = """
class Own(BaseException):
    pass

def interrupts():
    raise KeyboardInterrupt

def raises_its_own():
    raise Own("not an Exception")
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.py").write_text(CODE)
    (tmp_path / "stops_at_once.py").write_text("raise KeyboardInterrupt\n")
    return tmp_path


def test_it_is_refused_in_one_line(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As in our processes, which end by an interrupt at once.
    monkeypatch.setattr(signal, "getsignal", lambda _: lambda *_: None)
    for source, said in {
        "odd.py:interrupts": "odd.py:interrupts raised KeyboardInterrupt",
        "odd.py:raises_its_own": "odd.py:raises_its_own raised Own: not an Exception",
        "stops_at_once.py:build": "stops_at_once.py cannot be imported: KeyboardInterrupt",
        "stops_at_once:build": "stops_at_once cannot be imported: KeyboardInterrupt; accepted: ",
    }.items():
        with pytest.raises(ModelError) as refusal:
            build(NetworkChoice(source))
        assert str(refusal.value).startswith(said), source
        assert "\n" not in str(refusal.value), source


def test_the_users_own_interrupt_passes(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a program that lets Python raise it."""
    monkeypatch.setattr(signal, "getsignal", lambda _: signal.default_int_handler)
    for source in ("odd.py:interrupts", "stops_at_once.py:build", "stops_at_once:build"):
        with pytest.raises(KeyboardInterrupt):
            build(NetworkChoice(source))
