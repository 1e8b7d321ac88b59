"""Who did what is written down, and nobody makes it too long."""

import json

import pytest

from cloud.access.audit import Action, Audit, Outcome, open_audit
from cloud.config import CloudSettings
from cloud.metrics import CloudMetrics
from shared.limits import MAX_AUDIT_TEXT, MAX_AUDITED_CLIENTS
from shared.observing.counting.counter import Counter
from shared.observing.json_lines import JsonLines


class Written:
    """An audit on a clock that the test moves, and its lines."""

    def __init__(self, path):
        self.path, self.now = path, 1000.0
        self.errors = Counter("errors", "t", registry=None)
        self.counter = Counter("left_out", "t", registry=None)
        self.file = JsonLines(str(path), append=True, errors=self.errors, what="audit")
        self.audit = Audit(self.file, self.counter, lambda: self.now)

    def refuse(self, client, **options):
        self.audit.note(client, Action.FRAME, Outcome.REFUSED, **options)

    def lines(self):
        return [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]

    @property
    def left_out(self):
        return self.counter.labels().value()

    def known(self):
        """Lines that are there, and those that one of them says were left out."""
        lines = self.lines()
        told = sum(line["left_out"] for line in lines)
        return sum(line["action"] != "summary" for line in lines), told


@pytest.fixture
def written(tmp_path):
    made = Written(tmp_path / "audit.jsonl")
    yield made
    made.file.close()


def test_a_line_says_who_did_what_and_what_it_cost(written):
    written.audit.note(
        "gate-3",
        Action.PROFILE,
        Outcome.REFUSED,
        reason="over_quota",
        subject="00ff",
        size=1234,
        seconds=0.123456,
    )
    (line,) = written.lines()
    assert list(line) == ["time", "client", "action", "outcome", "reason", "subject", "cost", "left_out"]
    assert line["time"].endswith("+00:00")
    del line["time"]
    assert line == {
        "client": "gate-3",
        "action": "profile",
        "outcome": "refused",
        "reason": "over_quota",
        "subject": "00ff",
        "cost": {"bytes": 1234, "s": 0.1235},
        "left_out": 0,
    }


def test_what_came_from_the_network_stays_within_its_line(written):
    written.refuse("a\n\x1b[2J\x9b" + "x" * 1000, subject="\u202e\n")
    (line,) = written.lines()
    assert len(line["client"]) == MAX_AUDIT_TEXT
    assert (line["client"] + line["subject"]).isprintable()
    raw = written.path.read_bytes().decode()
    assert raw.count("\n") == 1
    assert raw[:-1].isprintable()


def test_one_client_has_so_many_lines_and_the_next_one_says_how_many_are_missing(written):
    for _ in range(1000):
        written.refuse("attacker")
    first = len(written.lines())
    assert first == 20
    assert written.left_out == 1000 - first
    written.now += 10
    written.refuse("attacker")
    assert written.lines()[-1]["left_out"] == 1000 - first
    written.refuse("honest")
    assert written.lines()[-1]["client"] == "honest", "it has lines of its own"


def test_a_crowd_without_keys_leaves_the_lines_of_those_with_one(written):
    for number in range(10 * MAX_AUDITED_CLIENTS):
        written.refuse(f"10.0.{number // 256}.{number % 256}")
    assert len(written.lines()) == 60
    written.refuse("10.9.9.9")
    assert len(written.lines()) == 60
    written.refuse("gate-3", known=True)
    assert written.lines()[-1]["client"] == "gate-3"


def test_an_hour_of_an_attack_is_a_bounded_number_of_bytes(written):
    for _second in range(3600):
        written.now += 1
        for number in range(5):
            written.refuse(f"address {number}", reason="over_quota", size=10**6, seconds=1.0)
    size = written.path.stat().st_size
    assert 1000 < size < 60 * 20_000, "20 kB a minute"
    written.audit.finish()
    there, told = written.known()
    assert there + told == 3600 * 5, "each is written or counted"


def test_what_was_left_out_is_said_even_if_nobody_comes_again(written):
    for _ in range(100):
        written.refuse("attacker")
    written.audit.tend()
    assert written.known() == (20, 0), "not at once: the summary is a line too"
    written.now += 10
    written.audit.tend()
    assert written.lines()[-1]["action"] == "summary"
    assert written.lines()[-1]["client"] == "attacker"
    assert written.known() == (20, 80)
    written.now += 100
    written.audit.tend()
    assert written.known() == (20, 80), "once"


def test_clients_that_are_forgotten_leave_their_number(written):
    for _ in range(100):
        written.refuse("attacker")
    for number in range(MAX_AUDITED_CLIENTS):
        written.refuse(f"n{number}")
    written.now += 1e6
    written.audit.tend()
    written.audit.finish()
    there, told = written.known()
    assert there + told == 100 + MAX_AUDITED_CLIENTS


def test_without_a_file_nothing_is_written_nor_kept():
    counter = Counter("left_out", "t", registry=None)
    audit = Audit(None, counter)
    for _ in range(1000):
        audit.note("a", Action.READ, Outcome.REFUSED)
    audit.tend()
    audit.finish()
    assert counter.labels().value() == 0


def test_a_full_file_is_followed_by_another(tmp_path):
    settings = CloudSettings(audit=str(tmp_path / "a.jsonl"), audit_max_bytes=1000, audit_keep=1)
    audit = open_audit(settings, CloudMetrics())
    for number in range(20):
        audit.note(f"c{number}", Action.LOGIN, Outcome.DONE, known=True)
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert max(sizes) <= 1000
