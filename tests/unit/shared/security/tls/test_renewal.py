"""Files that change: taken once they are still, and never in place of what works."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from kits.certificates import Certificates

from edge.metrics import EdgeMetrics
from shared.errors import SettingsError
from shared.security.tls.context import TLSFiles, server_context
from shared.security.tls.renewal import LOOK_EVERY_S, RenewedContext


class Renewing:
    def __init__(self, folder):
        self.made = Certificates.at(folder)
        self.metrics = EdgeMetrics()
        self.taken = []
        self.context = RenewedContext(
            server_context,
            self.made.files("cloud"),
            metrics=self.metrics,
            certificate="status",
            taken=self.taken.append,
        )

    def counted(self, result):
        labels = {"certificate": "status", "result": result}
        return self.metrics.registry.get_sample_value("splitdnn_edge_certificate_renewals_total", labels)

    def expiry(self):
        return self.metrics.registry.get_sample_value(
            "splitdnn_edge_certificate_expiry_timestamp_seconds", {"certificate": "status"}
        )


@pytest.fixture
def renewing(tmp_path):
    return Renewing(tmp_path)


def test_what_stays_is_not_read_again(renewing):
    before = renewing.context.context
    for _ in range(3):
        renewing.context.look()
    assert renewing.context.context is before
    assert (renewing.counted("taken"), renewing.counted("failed")) == (0, 0)


def test_a_change_is_taken_once_it_is_still(renewing):
    before, expiry = renewing.context.context, renewing.expiry()
    assert expiry == renewing.made.files("cloud").expiry()
    renewing.made.issue("cloud", days=1)
    renewing.context.look()
    assert renewing.context.context is before, "it may still be being written"
    renewing.context.look()
    assert renewing.context.context is not before
    assert renewing.taken == [renewing.context.context]
    assert renewing.counted("taken") == 1
    assert renewing.expiry() == renewing.made.files("cloud").expiry() < expiry
    renewing.context.look()
    assert renewing.counted("taken") == 1


def test_half_a_change_is_waited_for(renewing):
    before = renewing.context.context
    key = Path(renewing.made.path("cloud", "tls.key"))
    old = key.read_bytes()
    renewing.made.issue("cloud", days=1)
    new = key.read_bytes()
    key.write_bytes(old)
    renewing.context.look()
    key.write_bytes(new)
    renewing.context.look()
    assert (renewing.counted("taken"), renewing.counted("failed")) == (0, 0)
    renewing.context.look()
    assert renewing.context.context is not before
    assert (renewing.counted("taken"), renewing.counted("failed")) == (1, 0)


def test_what_cannot_be_used_changes_nothing_and_is_said_once(renewing, caplog):
    before = renewing.context.context
    for spoil in (Path.unlink, lambda path: path.write_text("no key")):
        caplog.clear()
        failed = renewing.counted("failed")
        spoil(Path(renewing.made.path("cloud", "tls.key")))
        for _ in range(4):
            renewing.context.look()
        assert renewing.context.context is before
        assert renewing.counted("failed") == failed + 1
        (line,) = [record.getMessage() for record in caplog.records]
        assert line.endswith("; what was read before stays in force"), line
    renewing.made.issue("cloud")
    renewing.context.look()
    renewing.context.look()
    assert renewing.taken == [renewing.context.context]


def test_at_the_start_it_is_an_error():
    with pytest.raises(SettingsError, match="--certificate /nowhere: No such file"):
        RenewedContext(server_context, TLSFiles("/nowhere"), metrics=EdgeMetrics(), certificate="status")


def test_it_looks_every_few_seconds(renewing):
    renewing.made.issue("cloud", days=1)
    slept = []

    async def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(renewing.context.watch(sleep))
    assert slept == [LOOK_EVERY_S] * 3
    assert renewing.counted("taken") == 1


def test_a_file_that_goes_while_it_is_read_ends_no_watch(tmp_path, caplog):
    made, fails = Certificates.at(tmp_path), []

    def make(files):
        if fails:
            raise fails.pop()
        return server_context(files)

    metrics = EdgeMetrics()
    context = RenewedContext(make, made.files("cloud"), metrics=metrics, certificate="status")
    before = context.context
    made.issue("cloud", days=1)
    fails.append(FileNotFoundError(2, "No such file or directory"))
    for _ in range(3):
        context.look()
    assert context.context is before
    assert "No such file or directory; what was read before stays in force" in caplog.text
    made.issue("cloud", days=2)
    for _ in range(2):
        context.look()
    assert context.context is not before
