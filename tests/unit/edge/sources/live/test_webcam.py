"""Cameras of this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from kits.sources import fails_to_open, source_of

from shared.errors import UnusableSourceError


def test_webcam_that_is_not_there():
    fails_to_open("97", "no camera /dev/video97; here: ")
    fails_to_open("/dev/video97", "no camera /dev/video97")


def test_webcam_that_is_no_camera(capfd):
    fails_to_open("/dev/null", "is it a camera")
    assert not capfd.readouterr().err


def test_webcam_names_the_group_that_may_use_it(monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UnusableSourceError, match=f"join group {Path('/dev/null').stat().st_gid} "):
        source_of("/dev/null").open()


def test_what_is_no_device_is_not_waited_for():
    with pytest.raises(UnusableSourceError, match="/dev/fd: is no device"):
        source_of("/dev/fd").open()


def test_a_number_is_a_webcam():
    assert source_of("0").name == "/dev/video0"
    assert source_of("0").live
