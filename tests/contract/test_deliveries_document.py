"""docs/events.md says what each failed delivery means, and which header fields a webhook is signed with."""

from __future__ import annotations

import re
from pathlib import Path

from edge.output.events.delivery.metrics import FAILURES
from edge.output.events.delivery.signature import signed
from edge.output.events.delivery.targets import PORTS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")


def first_cells(heading):
    """What stands in the first column of the first table after a heading."""
    section = DOCUMENT.split(f"{heading}\n", 1)[1]
    (table,) = re.findall(r"((?:^\|.*\n)+)", section, re.MULTILINE)[:1]
    return [re.findall("`([^`]+)`", line.split("|")[1]) for line in table.splitlines()[2:]]


def test_every_reason_of_a_failure_is_explained():
    assert [cell for (cell,) in first_cells("### When a target takes nothing")] == list(FAILURES)


def test_every_header_field_of_a_webhook_is_named():
    made = signed([bytes(32)], "id", 0, b"")
    assert [cell for (cell,) in first_cells("### Webhooks")] == list(made)


def test_every_kind_of_address_is_named():
    assert {cell.split(":")[0] for (cell,) in first_cells("## Where events go")} == set(PORTS)


def test_the_receiver_of_the_document_takes_what_is_sent_and_nothing_else():
    code = next(each for each in re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL) if "is_ours" in each)
    space = {}
    exec(code, space)
    key, body = bytes(range(32)), b'{"id":"a"}'
    secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    headers = signed([b"x" * 32, key], "a", 1790000000, body)
    assert space["is_ours"](headers, body, secret)
    assert not space["is_ours"](headers, body + b" ", secret)
    assert not space["is_ours"](headers | {"webhook-timestamp": "1790000001"}, body, secret)
