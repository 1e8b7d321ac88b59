"""Cores granted and threads set, with cgroup folders and an affinity mask of the tests' own."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest

from shared.process import threads

if TYPE_CHECKING:
    from pathlib import Path

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host of 8 cores; the environment is restored afterwards."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    for name in VARIABLES:
        monkeypatch.setenv(name, "before")


def version_2(folder: Path, content: str) -> Path:
    (folder / "cpu.max").write_text(content)
    return folder


def version_1(folder: Path, quota: str, period: str = "100000\n") -> Path:
    (folder / "cpu").mkdir(exist_ok=True)
    (folder / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (folder / "cpu" / "cpu.cfs_period_us").write_text(period)
    return folder


def test_a_quota_of_version_2_is_rounded_up(tmp_path: Path) -> None:
    for content, cores in (
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("100000 100000\n", 1),
        ("10000 100000\n", 1),
        ("50000 25000\n", 2),
        ("1600000 100000\n", 8),
        ("max 100000\n", 8),
        ("", 8),
        ("nonsense\n", 8),
    ):
        assert threads.available_cores(version_2(tmp_path, content)) == cores, content


def test_a_quota_of_version_1_is_rounded_up(tmp_path: Path) -> None:
    for quota, cores in (
        ("300000\n", 3),
        ("250000\n", 3),
        ("5000\n", 1),
        ("-1\n", 8),
        ("0\n", 8),
        ("", 8),
    ):
        assert threads.available_cores(version_1(tmp_path, quota)) == cores, quota


def test_version_2_is_asked_before_version_1(tmp_path: Path) -> None:
    assert threads.available_cores(version_1(version_2(tmp_path, "200000 100000"), "500000")) == 2


def test_without_a_cgroup_the_affinity_mask_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert threads.available_cores(tmp_path / "none") == 8
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5, 7})
    assert threads.available_cores(tmp_path / "none") == 3


def test_the_affinity_mask_beats_a_larger_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {4})
    assert threads.available_cores(version_2(tmp_path, "400000 100000")) == 1


def test_as_many_threads_as_cores_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(threads, "available_cores", lambda: 3)
    caplog.set_level(logging.INFO)
    assert threads.limit_threads(0) == 3
    assert [os.environ[name] for name in VARIABLES] == ["3", "3", "1"]
    assert caplog.messages == ["threads: 3 (automatic; cores granted: 3)"]


def test_what_the_user_sets_is_what_the_libraries_are_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(threads, "available_cores", lambda: 3)
    caplog.set_level(logging.INFO)
    assert threads.limit_threads(5) == 5
    assert [os.environ[name] for name in VARIABLES] == ["5", "5", "1"]
    assert caplog.messages == ["threads: 5 (as set; cores granted: 3)"]
