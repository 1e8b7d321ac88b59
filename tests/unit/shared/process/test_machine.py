"""The machine's description and the user's home, as far as they are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.process import machine as module
from shared.process.machine import expand_home, machine, processor_features


def test_the_machine_is_described_as_far_as_it_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name\t: Some CPU: 3 GHz\nmodel name : Another\n")
    monkeypatch.setattr(module.platform, "machine", lambda: "sparc")
    monkeypatch.setattr(module, "available_cores", lambda: 3)
    for path, name in ((tmp_path / "cpuinfo", "Some CPU: 3 GHz"), (tmp_path / "none", "")):
        monkeypatch.setattr(module, "_CPU_INFO", path)
        assert machine() == f"sparc, {name}, 3 cores"


def test_two_processors_of_one_name_are_told_apart_by_what_they_can_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(module, "_CPU_INFO", path)
    assert processor_features() == ""
    for text, found in (
        ("processor : 0\nflags\t\t: sse avx2 amx_bf16\nprocessor : 1\nflags : none\n", "amx_bf16 avx2 sse"),
        ("BogoMIPS : 50.00\nFeatures\t: fp asimd\n", "asimd fp"),
        ("processor : 0\n", ""),
    ):
        path.write_text(text)
        assert processor_features() == found, text


def test_a_home_is_expanded_if_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert expand_home("~/some/where") == Path("/home/somebody/some/where")
    assert expand_home("/some/~/where") == Path("/some/~/where")
    assert expand_home("~nobody-of-this-name/where") == Path("~nobody-of-this-name/where")


def test_without_a_home_nothing_is_expanded_and_nothing_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose user has no entry in /etc/passwd."""

    def unknown(*_arguments: object) -> None:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    with pytest.raises(RuntimeError):
        Path("~/some/where").expanduser()
    assert expand_home("~/some/where") == Path("~/some/where")
