"""The machine's description and the user's home, as far as they are known."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pytest

from shared.process import machine as module
from shared.process.machine import compiled_library, expand_home, machine, processor_features


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


def test_other_machines_have_no_compiled_library_and_nothing_is_wrong_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = {
        "name": "any",
        "levels": {"x86_64": ("some",)},
        "functions": Functions,
        "structures": (),
        "abi": 1,
    }
    monkeypatch.setattr(module.sys, "platform", "linux")
    monkeypatch.setattr(module.platform, "machine", lambda: "riscv64")
    assert compiled_library(tmp_path, **asked) is None
    monkeypatch.setattr(module.platform, "machine", lambda: "x86_64")
    with pytest.raises(OSError, match=r"any-x86_64\.so"):
        compiled_library(tmp_path, **asked)
    monkeypatch.setattr(module.sys, "platform", "darwin")
    assert compiled_library(tmp_path, **asked) is None


class Functions(ctypes.Structure):
    """One function."""

    _fields_ = (("run", ctypes.c_void_p),)


class Library:
    """A file that was loaded, of two levels."""

    def __init__(self, layout: int) -> None:
        self._layout = layout
        self.splitdnn_level = Level()

    def splitdnn_layout(self) -> int:
        return self._layout

    def splitdnn_levels(self) -> int:
        return 2


class Level:
    """The functions of a level; its result's type can be set."""

    restype = None

    def __call__(self, number: int) -> Any:
        return ctypes.pointer(Functions(number + 5))


def test_a_compiled_library_has_the_functions_of_the_levels_that_are_known_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(module.ctypes, "CDLL", lambda _: Library(7 << 16 | 8 + 8))
    for names, expected in ((("a",), [("a", 5)]), (("a", "b", "c"), [("a", 5), ("b", 6)])):
        found = compiled_library(tmp_path, "any", {"x86_64": names}, Functions, [Functions], 7)
        assert found is not None
        assert [(name, level.run) for name, level in found.levels] == expected
    for structures, abi in (([], 7), ([Functions, Functions], 7), ([Functions], 8)):
        with pytest.raises(OSError, match="has the layout 0x70010, not 0x"):
            compiled_library(tmp_path, "any", {"x86_64": ("a",)}, Functions, structures, abi)
    monkeypatch.setattr(module.ctypes, "CDLL", lambda _: object())
    with pytest.raises(OSError, match="splitdnn_layout"):
        compiled_library(tmp_path, "any", {"x86_64": ("a",)}, Functions, [], 7)
