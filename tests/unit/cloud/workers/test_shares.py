"""What each worker may use, and what several cannot do."""

from __future__ import annotations

from typing import Any

import pytest

from cloud.config import CloudSettings
from cloud.workers.shares import DIVIDED, numbered, shares
from shared.errors import SettingsError


def settings(**given: Any) -> CloudSettings:
    return CloudSettings(**{"workers": 2, "threads": 4, **given})


def test_the_workers_together_have_what_the_settings_give_at_most():
    for workers in (2, 3, 7):
        whole = settings(workers=workers, threads=0, client_compute=1.5, tail_workers=workers)
        each = shares(whole, cores=8)
        assert len(each) == workers
        for name in DIVIDED:
            parts = [getattr(one, name) for one in each]
            assert min(parts) >= 1, name
        for one in each:
            assert CloudSettings(**one.model_dump(mode="json")) == one, "as a worker reads it"
            assert getattr(whole, name) - workers < sum(parts) <= getattr(whole, name), name
        assert {one.threads for one in each} == {8 // workers}
        assert {one.tail_workers for one in each} == {1}
        assert sum(one.client_compute for one in each) == pytest.approx(1.5)
        assert {one.max_batch for one in each} == {whole.max_batch}, "a batch is one worker's"


def test_threads_are_those_of_the_setting_before_those_of_the_machine():
    assert shares(settings(threads=6), cores=1)[0].threads == 3
    assert shares(settings(threads=0), cores=5)[0].threads == 2
    assert shares(settings(threads=6))[0].tail_workers == 0, "automatic stays so"


def test_each_worker_has_its_part_of_the_sessions_or_one_unless_there_are_none():
    assert [one.sessions for one in shares(settings(sessions=9))] == [4, 4]
    assert [one.sessions for one in shares(settings(sessions=1))] == [1, 1]
    assert [one.sessions for one in shares(settings(sessions=0))] == [0, 0]


def test_each_worker_has_its_own_files():
    each = shares(settings(ledger="/logs/{hostname}-{worker}.jsonl", audit="a{worker}/{worker}.jsonl"))
    assert [one.ledger for one in each] == ["/logs/{hostname}-1.jsonl", "/logs/{hostname}-2.jsonl"]
    assert [one.audit for one in each] == ["a1/1.jsonl", "a2/2.jsonl"]
    assert shares(settings())[0].ledger is None
    assert numbered(settings(ledger="l-{worker}.jsonl"), 1).ledger == "l-1.jsonl"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"threads": 1}, "--workers=2: there are 1 computing threads to share; accepted: 1 to 1"),
        ({"device": "cuda"}, "--device=cuda; accepted: --device cpu, or 1 worker"),
        ({"device": "auto"}, "--device=auto"),
        (
            {"ledger": "l.jsonl"},
            r"--ledger=l.jsonl: a file has one writer.*\{worker\}.*ledger-\{worker\}.jsonl",
        ),
        ({"audit": "{hostname}.jsonl"}, "--audit=.*one writer"),
        ({"client_frames": 1}, "--client-frames=1: 2 workers share it; accepted: 2 or more"),
        ({"queue_capacity": 1}, "--queue-capacity=1"),
        ({"max_connections": 15}, "--max-connections=15: 2 workers share it; accepted: 16 or more"),
        ({"client_body_bytes": 2047}, "--client-body-bytes=2047: 2 workers share it; accepted: 2048 or more"),
        ({"max_body_bytes": 2048, "max_buffered_bytes": 4095}, "accepted: 4096 or more"),
    ],
)
def test_what_several_workers_cannot_do_is_refused(given: dict[str, Any], said: str):
    with pytest.raises(SettingsError, match=said):
        shares(settings(**given))
