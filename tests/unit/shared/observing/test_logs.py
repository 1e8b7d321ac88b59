"""Log lines, and that no camera's password is in one."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from shared.observing.logs import configure_logs, mask_credentials, mask_url

if TYPE_CHECKING:
    from collections.abc import Iterator

CAMERA = "rtsp://admin:s3cr3t@10.0.0.7:554/stream"
MASKED = "rtsp://***@10.0.0.7:554/stream"


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root, access = logging.getLogger(), logging.getLogger("tornado.access")
    before = root.level, list(root.handlers), access.level
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    access.setLevel(before[2])


def fail() -> None:
    raise ValueError(f"cannot open {CAMERA}")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (CAMERA, MASKED),
        ("rtsp://token@camera/", "rtsp://***@camera/"),
        ("rtsp://user:p@ss:w@rd@camera/1", "rtsp://***@camera/1"),
        ('rtsp://user:pa"ss@camera/1', "rtsp://***@camera/1"),
        (f"from {CAMERA} to http://a:b@cloud:8881.", f"from {MASKED} to http://***@cloud:8881."),
        ("http://cloud:8881/model?to=a", "http://cloud:8881/model?to=a"),
        ("http://cloud/users/@me", "http://cloud/users/@me"),
        ("write to me@example.org", "write to me@example.org"),
        (f"Bearer sdn_{'Zm9v-_' * 7}x, sdn_short", "Bearer sdn_***, sdn_short"),
        ("", ""),
    ],
)
def test_credentials_are_masked_and_nothing_else(text: str, masked: str) -> None:
    assert mask_credentials(text) == masked


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("rtsp://admin:pa/ss@wo?rd@camera/1?token=x", "rtsp://***@camera/1?…"),
        ("rtsp:/admin:secret@camera/1", "***@camera/1"),
        ("rtsp//admin:sec/ret@camera/1", "***@camera/1"),
        ("admin:sec@ret@[::1]/1", "***@[::1]/1"),
        (f"sdn_{'Zm9v-_' * 7}x", "sdn_***"),
        ("clips/a:b.mp4", "clips/a:b.mp4"),
        ("photo@2x.png", "photo@2x.png"),
        ("jpeg:quality=90,subsampling=0", "jpeg:quality=90,subsampling=0"),
    ],
)
def test_a_url_is_masked_even_where_it_is_mistyped(url: str, masked: str) -> None:
    assert mask_url(url) == masked


@pytest.mark.parametrize("style", ["text", "json"])
@pytest.mark.parametrize("secret", ["s3cr3t", "s3c@r3t", 's3"c\\r3t'])
def test_no_line_of_either_style_holds_a_password(
    style: str, secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("info", style)
    logging.getLogger("edge").info("opening %s", f"rtsp://admin:{secret}@camera/1")
    line = capsys.readouterr().err
    assert "rtsp://***@camera/1" in line
    assert "r3t" not in line
    assert "admin" not in line


@pytest.mark.parametrize("style", ["text", "json"])
def test_a_logged_exception_holds_no_password(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", style)
    try:
        fail()
    except ValueError:
        logging.getLogger("edge").exception("failed")
    text = capsys.readouterr().err
    assert f"ValueError: cannot open {MASKED}" in text
    assert "s3cr3t" not in text


def test_a_json_line_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    logging.getLogger("cloud.http.app").warning('said "%s"\non two lines', "hé")
    (line,) = capsys.readouterr().err.splitlines()
    fields = json.loads(line)
    assert datetime.fromisoformat(fields.pop("time")).tzinfo is not None
    assert fields == {"level": "warning", "logger": "cloud.http.app", "message": 'said "hé"\non two lines'}


def test_a_json_line_has_the_exception(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    try:
        fail()
    except ValueError:
        logging.getLogger("edge").exception("failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert "Traceback" in json.loads(line)["exception"]


def test_a_text_line_says_when_how_bad_and_where(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "text")
    logging.getLogger("edge.uplink.uplink").error("gone")
    assert capsys.readouterr().err.endswith(" ERROR   edge.uplink.uplink: gone\n")


@pytest.mark.parametrize(("level", "lines"), [("debug", 3), ("info", 2), ("warning", 1), ("error", 0)])
def test_the_level_is_the_least_severe_that_is_logged(
    level: str, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(level, "text")
    log = logging.getLogger("edge")
    log.debug("a")
    log.info("b")
    log.warning("c")
    assert len(capsys.readouterr().err.splitlines()) == lines


def test_requests_are_not_logged_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "text")
    logging.getLogger("tornado.access").warning("404 GET /")
    assert capsys.readouterr().err == ""


ATTACK = "\x1b]0;owned\x07\x1b[2J\n2026-11-29 12:00:00,000 ERROR   edge: forged"


def attack() -> None:
    raise ValueError(ATTACK)


@pytest.mark.parametrize("style", ["text", "json"])
def test_what_a_peer_said_acts_on_no_terminal_and_forges_no_line(
    style: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("info", style)
    logging.getLogger("edge").info("it says %s", ATTACK)
    try:
        attack()
    except ValueError:
        logging.getLogger("edge").exception("it failed: %s", ATTACK)
    text = capsys.readouterr().err
    assert "owned" in text
    assert text.replace("\n", "").isprintable()
    begin = [line for line in text.splitlines() if not line.startswith(" ")]
    assert len(begin) == 2, "a line for each, and what belongs to one is indented"
    assert not any(line.endswith("forged") and line.startswith("2026-11-29 12:00:00") for line in begin)
