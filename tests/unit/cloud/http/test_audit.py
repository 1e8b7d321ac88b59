"""Who did what at which endpoint is written down, and a client's requests are counted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from kits.cloud import Server, until

from shared.limits import MAX_CLIENT_PROFILES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("gained")


class Audited:
    """A cloud with an audit, and what stands in it."""

    def __init__(self, server: Server, path: Path) -> None:
        self.server, self._path = server, path

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._path.read_text().splitlines()]

    def counted(self, outcome: str) -> float:
        return self.server.metric("client_requests_total", client="-", outcome=outcome)


@pytest.fixture
def audited(tmp_path: Path) -> Iterator[Audited]:
    path = tmp_path / "audit.jsonl"
    with Server(audit=str(path)) as server:
        yield Audited(server, path)


def test_a_refusal_is_written_down_with_its_reason_and_its_cost(audited: Audited, pack: Any) -> None:
    frame = pack(codec_id=999)
    audited.server.frame(frame).refused(415, "bad_codec")
    (line,) = audited.lines()
    assert (line["client"], line["action"]) == ("127.0.0.1", "frame")
    assert (line["outcome"], line["reason"]) == ("refused", "bad_codec")
    assert line["cost"]["bytes"] == len(frame)
    assert line["cost"]["s"] >= 0
    until(lambda: audited.counted("refused") == 1)
    assert audited.server.metric("client_received_bytes_total", client="-") == len(frame)


def test_what_is_answered_is_counted_and_a_scanner_s_404_is_worth_no_line(
    audited: Audited, pack: Any
) -> None:
    assert audited.server.frame(pack()).status == 200
    audited.server.ask("GET", "/nowhere").refused(404, "http")
    assert audited.server.ask("GET", "/model").status == 200
    until(lambda: (audited.counted("answered"), audited.counted("refused")) == (2, 1))
    assert audited.lines() == []


def test_an_upload_and_what_it_pushes_out_are_written_down(audited: Audited, make: Any) -> None:
    profiles = [make(float(number)) for number in range(1, MAX_CLIENT_PROFILES + 2)]
    assert audited.server.put_profile(profiles[0].data).status == 201
    assert audited.server.put_profile(profiles[0].data).status == 200
    (line,) = audited.lines()
    assert (line["action"], line["outcome"], line["subject"]) == ("profile", "done", profiles[0].name)
    assert line["cost"]["bytes"] == len(profiles[0].data)
    for profile in profiles[1:]:
        assert audited.server.put_profile(profile.data).status == 201
    *_, last = audited.lines()
    assert (last["action"], last["subject"]) == ("evict", profiles[0].name)
    audited.server.put_profile(b"none").refused(422, "bad_profile")
    assert [line["action"] for line in audited.lines()].count("profile") == MAX_CLIENT_PROFILES + 2


def test_a_flood_of_refusals_is_a_few_lines_and_all_are_told_of(audited: Audited, pack: Any) -> None:
    frame = pack(codec_id=999)
    for _ in range(100):
        audited.server.frame(frame).refused(415, "bad_codec")
    assert len(audited.lines()) < 40
    audited.server.stop_service().result(60)
    told = sum(line["left_out"] for line in audited.lines())
    assert sum(line["action"] == "frame" for line in audited.lines()) + told == 100
    assert audited.server.metric("audit_left_out_total") == told
