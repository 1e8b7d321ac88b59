"""docs/operations.md and docs/api.md name every refusal, with its status and whether it may be tried again, as the code does."""

from __future__ import annotations

import re
from pathlib import Path

from kits.naming import naming

from cloud.access import refusals
from cloud.metrics import REJECTIONS, CloudMetrics
from shared import errors
from splitdnn.client.error import ClientError

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
OURS = [cls for cls in errors.all_request_errors() if cls.__module__ in (errors.__name__, refusals.__name__)]
WITHOUT_ANSWER = {"unreachable", "late", "damaged", "deadline"}
"""What `Client` also calls worth another try: there was no answer, or it came too late."""


def rows() -> dict[str, list[str]]:
    """By reason, the lines of the table of what can go wrong."""
    table = OPERATIONS.split("## What can go wrong\n")[1]
    found: dict[str, list[str]] = {}
    for line in table.splitlines():
        for reason in re.findall(r'`splitdnn_cloud_rejected_total\{reason="(\w+)"\}`', line):
            found.setdefault(reason, []).append(line)
    return found


def test_the_page_has_every_reason_and_no_other() -> None:
    assert set(rows()) == {cls.reason for cls in OURS} | {"internal"}
    assert {cls.reason for cls in OURS} <= set(REJECTIONS)


def test_a_row_has_the_status_and_says_when_to_come_again() -> None:
    for cls in OURS:
        for line in rows()[cls.reason]:
            with naming(cls.reason, line):
                happens = line.split(" | ")[2]
                assert re.search(rf"\b{cls.status}\b", happens)
                assert ("`Retry-After`" in happens) == cls.retryable


def test_every_status_and_reason_is_counted_from_the_start() -> None:
    registry = CloudMetrics().registry
    for cls in OURS:
        with naming(cls.reason):
            code, reason = {"endpoint": "/model", "code": str(cls.status)}, {"reason": cls.reason}
            assert registry.get_sample_value("splitdnn_cloud_requests_total", code) == 0
            assert registry.get_sample_value("splitdnn_cloud_rejected_total", reason) == 0


def test_a_client_tries_again_what_the_cloud_says_may_be() -> None:
    retryable = {cls.reason for cls in OURS if cls.retryable} | WITHOUT_ANSWER
    for reason in {cls.reason for cls in OURS} | retryable:
        with naming(reason):
            assert ClientError(reason, "").retryable == (reason in retryable)
    said = next(line for line in API.splitlines() if line.startswith("| `retryable` |"))
    assert set(re.findall(r"`(\w+)`", said)) - {"retryable"} == retryable
