"""What a flood calls wrong: answers that are another's or none, and ledgers that say otherwise."""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from bench.harness.scrape import parse
from bench.load.connection import ExchangeError, Response
from bench.load.flood.findings import judged
from bench.load.flood.run import Outcome
from bench.load.flood.samples import differ, require_distinct, samples_for
from bench.load.flood.visitor import LEFT, Diary, Question, Visitor
from bench.load.generator import FAILED
from bench.soak.watch import Watch
from shared.wire import frame as wire

NAMES = ("gate", "yard")
METRICS = parse("")


def answer(top=0.5, **changes):
    return {"frame_id": 1, "task": "classify", "top": [{"label": "cat", "probability": top}], **changes}


def sample(number=0):
    description = {"split_points": {"a": [2, 3, 3], "b": [[4], [2, 1, 1]]}, "fingerprint": "00" * 8}
    return samples_for(description, "a")[number]


def question(client=0, number=0):
    return Question(client, sample(number), lambda size: f"{size}\r\n".encode())


def outcome_of(diary, **changes):
    fields = {
        "diary": diary, "watch": Watch("cloud", 1, 0.0), "peak": 0, "before": METRICS, "after": METRICS,
        "capacity_per_s": 10.0, "offered_per_s": 50.0, "seconds": 1.0, "unsent": 0, "requests": 3,
    }  # fmt: skip
    return Outcome(**fields | changes)


def test_answers_differ_by_what_they_name_and_by_more_than_rounding():
    same = [answer(0.5001), answer(frame_id=9), answer(stages_ms={"tail": 3.0}), answer(received={"ms": 1})]
    others = [answer(0.6), answer(task="raw"), answer(top=0.5, more=1), {"frame_id": 1}]
    assert [differ(each, answer()) for each in same] == [False] * 4
    assert [differ(each, answer()) for each in others] == [True] * 4
    require_distinct([answer(0.5), answer(0.6)])
    with pytest.raises(RuntimeError, match="the same answer"):
        require_distinct([answer(0.5), answer(0.505)])


def test_samples_have_the_shapes_that_cross_and_the_id_they_are_given():
    description = {"split_points": {"a": [2, 3, 3], "b": [[4], [2, 1, 1]]}, "fingerprint": "01" * 8}
    for point, shapes in (("a", [(2, 3, 3)]), ("b", [(4,), (2, 1, 1)])):
        samples = samples_for(description, point)
        assert len({each.numbered(0) for each in samples}) == len(samples)
        frame = wire.unpack(samples[0].numbered(77))
        assert [each.shape for each in frame.tensors] == shapes
        assert (frame.frame_id, frame.fingerprint) == (77, b"\1" * 8)
    with pytest.raises(RuntimeError, match="there are: a, b"):
        samples_for(description, "c")


def test_an_answer_is_to_the_frame_by_its_id_and_by_what_it_says():
    cases = {
        "right": (200, answer(0.6, frame_id=7), None),
        "another id": (200, answer(0.6, frame_id=8), "got the answer to frame id 8"),
        "another's": (200, answer(0.3, frame_id=7), r"not to sample 1 (but to [0])"),
        "nobody's": (200, answer(0.9, frame_id=7), r"not to sample 1 (but to [])"),
        "no JSON": (200, None, "no JSON"),
        "too much": (503, {"reason": "queue_full"}, None),
        "not let in": (401, {"reason": "unauthenticated"}, "refused with 401"),
        "a bug": (500, {}, "refused with 500"),
    }
    for name, (status, body, fault) in cases.items():
        diary = Diary(expected=[answer(0.3), answer(0.6)])
        data = b"?" if body is None else json.dumps(body).encode()
        diary.judge(question(1, 1), 7, Response(status, True, data))
        assert len(diary.faults) == (fault is not None), (name, diary.faults)
        assert fault is None or fault in diary.faults[0], name
        assert diary.answered == ({7: 1} if name == "right" else {}), name


class Line:
    """A connection that gives one answer after another, or fails."""

    def __init__(self, *answers, is_open=False):
        self.answers, self.is_open, self.opened, self.left = list(answers), is_open, 0, []

    async def exchange(self, data, timeout_s):
        found = self.answers.pop(0)
        if isinstance(found, Exception):
            raise found
        number = wire.unpack(data.partition(b"\r\n")[2]).frame_id
        return Response(found, True, json.dumps(answer(frame_id=number)).encode())

    async def open(self):
        raise ConnectionRefusedError

    def leave(self, *, reset):
        self.left.append(reset)

    def close(self):
        pass


def ask(line, leaving=0.0):
    diary = Diary()
    status = asyncio.run(Visitor(line, diary, random.Random(1), leaving).ask(question(), 5.0))
    return status, diary


def test_no_answer_is_a_fault_unless_an_idle_connection_was_closed():
    lost = ExchangeError("cut")
    cases = [
        (Line(200), 200, 0, 0),
        (Line(lost), FAILED, 0, 1),
        (Line(lost, 200, is_open=True), 200, 1, 0),
        (Line(lost, lost, is_open=True), FAILED, 1, 1),
    ]
    for number, (line, status, again, faults) in enumerate(cases):
        found, diary = ask(line)
        assert (found, diary.asked_again, len(diary.faults)) == (status, again, faults), number
        assert diary.statuses == {status: 1}, number


def test_who_leaves_has_left_even_where_the_server_was_first():
    line = Line()
    status, diary = ask(line, leaving=1.0)
    assert (status, diary.faults, len(line.left), diary.left.total()) == (LEFT, [], 1, 1)


def row(frame_id, client, outcome="answered"):
    return {"frame_id": f"{frame_id:016x}", "client": client, "outcome": outcome}


def test_the_ledger_charges_each_frame_to_its_sender_and_knows_every_answer():
    mine, yours = 1 << 32 | 5, 2 << 32 | 6
    diary = Diary(answered={mine: 0, yours: 1})
    right = [row(mine, "gate"), row(yours, "yard"), row(1 << 32 | 9, "gate", "abandoned")]
    assert judged(outcome_of(diary), right, NAMES).faults == []
    cases = {
        "charged to another": ([row(mine, "yard"), row(yours, "yard")], "is gate's"),
        "an answer that it does not know": ([row(mine, "gate"), row(yours, "yard", "refused")], "1 frames were answered"),
        "a frame of nobody": ([*right, row(9 << 32, "gate")], "nobody has sent"),
    }  # fmt: skip
    for name, (ledger, fault) in cases.items():
        found = judged(outcome_of(diary), ledger, NAMES)
        assert len(found.faults) == 1, name
        assert fault in found.faults[0], name
        assert fault in found.text, name


def test_what_was_never_sent_and_internal_errors_are_faults():
    internal = parse(
        '# TYPE splitdnn_cloud_rejected counter\nsplitdnn_cloud_rejected_total{reason="internal"} 2\n'
    )
    for changes, fault in (
        ({"unsent": 4}, "4 requests were never"),
        ({"after": internal}, "2 requests met an internal"),
    ):
        assert fault in judged(outcome_of(Diary(), **changes), [], NAMES).faults[0]
    again = judged(outcome_of(Diary(asked_again=1)), [], NAMES)
    assert "closed 0 connections" in again.faults[0]
