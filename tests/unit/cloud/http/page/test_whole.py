"""A cloud of several workers is one on its page: added up, and with whoever does not answer named."""

from __future__ import annotations

import copy
from typing import Any

from cloud.http.page.whole import SHOWN, Whole


def visitor(frames: int = 0, per_s: float = 0.0, quiet_s: int = 0, **refused: int) -> dict[str, Any]:
    return {
        "frames": frames,
        "bytes": 100 * frames,
        "frames_per_s": per_s,
        "bytes_per_s": 100 * per_s,
        "refused": refused,
        "quiet_s": quiet_s,
    }


def tail(
    name: str, frames: int = 0, lately_ms: float | None = None, *, ready: bool = False
) -> dict[str, Any]:
    return {
        "split_point": name, "ready": ready, "default": name == "neck", "alone_ms": None, "frames": frames, "lately_ms": lately_ms,
    }  # fmt: skip


def network(fingerprint: str = "aa", *tails: dict[str, Any], current: bool = True) -> dict[str, Any]:
    return {"fingerprint": fingerprint, "current": current, "idle_s": 5.0, "tails": list(tails)}


def part(**changes: Any) -> dict[str, Any]:
    """What a worker says."""
    given: dict[str, Any] = {
        "state": "ready",
        "uptime_s": 100.0,
        "memory_bytes": 1000,
        "rows": [],
        "clients": {"known": {}, "others": visitor(), "forgotten": 0},
        "queue": {"depth": 1, "capacity": 8, "under_way": 2, "buffered_bytes": 10, "connections": 3},
        "batches": {"bounds": [1, 2], "runs": [4, 0, 1], "frames": 9, "most": 16},
        "steps": {"tail": [10, 0.5]},
        "refused": {},
        "networks": [],
        "network_changes": {},
        "profiles": [],
        "bundles": {"served": True, "under_way": 1, "sent": {"complete": 2}},
    }
    return given | changes


def state(*parts: dict[str, Any] | None) -> dict[str, Any]:
    return Whole().state(dict(enumerate(map(copy.deepcopy, parts), 1)), 1000)


def test_what_is_held_and_counted_is_added() -> None:
    said = state(part(refused={"deadline": 1}), part(refused={"deadline": 2, "bad_frame": 1}))
    assert said["queue"] == {
        "depth": 2, "capacity": 16, "under_way": 4, "buffered_bytes": 20, "connections": 6,
    }  # fmt: skip
    assert said["batches"] == {"bounds": [1, 2], "runs": [8, 0, 2], "mean": 1.8, "most": 16}
    assert said["refused"] == {"deadline": 3, "bad_frame": 1}
    assert said["bundles"] == {"served": True, "under_way": 2, "sent": {"complete": 4}}
    assert [each["number"] for each in said["workers"]] == [1, 2]


def test_a_worker_that_does_not_answer_is_named_and_the_others_go_on() -> None:
    said = state(part(state="draining"), None, part(uptime_s=50.0))
    assert said["workers"][1] == {"number": 2, "state": "silent"}
    assert (said["state"], said["uptime_s"], said["queue"]["depth"]) == ("ready", 100.0, 2)
    nobody = state(None, None)
    assert (nobody["state"], nobody["clients"]["shown"], nobody["batches"]["runs"]) == ("silent", [], [])
    assert state(part(state="draining"))["state"] == "draining"


def test_a_client_of_several_workers_is_one() -> None:
    one = {"known": {"gate": visitor(5, 0.5, 3, deadline=1)}, "others": visitor(1), "forgotten": 1}
    two = {
        "known": {"gate": visitor(7, 1.5, 0, deadline=1, bad_frame=1), "yard": visitor(quiet_s=60)},
        "others": visitor(2, quiet_s=9),
        "forgotten": 2,
    }
    clients = state(part(clients=one), part(clients=two))["clients"]
    gate, yard = clients["shown"]
    assert gate == {"name": "gate", **visitor(12, 2.0, 0, deadline=2, bad_frame=1)}
    assert yard["name"] == "yard"
    assert clients["others"] == {**visitor(3), "clients": 3}
    assert clients["active"] == 1


def test_clients_without_a_line_are_one_together() -> None:
    known = {f"edge-{number:02}": visitor(number, float(number), too_large=1) for number in range(SHOWN + 8)}
    clients = state(part(clients={"known": known, "others": visitor(), "forgotten": 0}))["clients"]
    assert len(clients["shown"]) == SHOWN
    assert clients["shown"][0]["name"] == f"edge-{SHOWN + 7}"
    rest = sum(range(8))
    assert clients["others"] == {**visitor(rest, float(rest), too_large=8), "clients": 8}


def test_networks_are_one_list_with_the_current_one_first() -> None:
    one = part(networks=[network("aa", tail("input"), tail("neck", 3, 10.0))])
    two = part(
        networks=[
            network("bb", tail("neck")),
            network("aa", tail("neck", 4, 20.0, ready=True), tail("late", 1, 1.0), current=False),
        ]
    )
    found = state(one, two)["networks"]
    assert [each["fingerprint"] for each in found] == ["aa", "bb"]
    assert [(each["split_point"], each["frames"], each["lately_ms"]) for each in found[0]["tails"]] == [
        ("input", 0, None),
        ("neck", 7, 15.0),
        ("late", 1, 1.0),
    ]
    assert found[0]["tails"][1]["ready"]


def test_steps_are_the_mean_of_the_last_readings() -> None:
    whole = Whole()

    def took(count: float, seconds: float) -> float | None:
        found = whole.state({1: part(steps={"tail": [count, seconds]})}, 1000)["now"]["steps_ms"]["tail"]
        assert found is None or isinstance(found, float)
        return found

    assert took(100, 1.0) is None, "there is nothing to compare with yet"
    assert took(110, 1.5) == 50.0
    for _ in range(20):
        assert took(110, 1.5) in (50.0, None)
    assert took(110, 1.5) is None, "no frame in the last readings"
    assert took(3, 0.1) is None, "a worker has died, and its counts with it"


def test_catching_up_a_little_at_a_time_comes_to_the_same() -> None:
    rows = [[second, second % 7, second % 5, 0, 0, 0.0, {str(second % 50): 1}] for second in range(500, 1000)]
    parts = {1: part(rows=rows, uptime_s=1000.0)}
    at_once, step_by_step = Whole(), Whole()
    assert len(list(step_by_step.catch_up(parts, 1000))) > 10
    assert step_by_step.state(parts, 1000) == at_once.state(parts, 1000)
    assert list(step_by_step.catch_up(parts, 1001)) == [], "there is nothing left"


def test_seconds_of_all_workers_are_drawn_together() -> None:
    rows = [[998, 2, 200, 1, 3, 0.5, {"10": 2}], [999, 1, 100, 0, 1, 0.25, {"10": 1}]]
    said = state(part(rows=rows), part(rows=rows))
    assert said["history"]["frames"][-2:] == [4, 2]
    assert said["history"]["cores"][-2:] == [1.0, 0.5]
    assert len(said["history"]["frames"]) == 100, "it has been there for so long"
    assert said["now"]["frames_per_s"] == 0.6
    assert said["workers"][0]["cores"] == 0.25
