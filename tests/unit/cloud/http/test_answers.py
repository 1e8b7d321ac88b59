"""What is asked of an answer, and how long it may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kits.cloud import Server, until

from cloud.networks.network import LoadedNetwork
from shared.tasks.spec import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable


def test_an_answer_says_of_which_task_it_is(server: Server, pack: Any) -> None:
    answer = server.frame(pack()).json
    assert list(answer) == ["frame_id", "fingerprint", "split_point", "task", "top", "stages_ms", "received"]
    assert answer["task"] == "classify" == server.ask("GET", "/model").json["task"]


def test_the_query_says_what_is_wanted(server: Server, pack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, task = [], LoadedNetwork.task
    monkeypatch.setattr(
        LoadedNetwork, "task", lambda network, wanted: asked.append(wanted) or task(network, wanted)
    )
    for query, wanted in [
        ("", Wanted(5, None)),
        ("?top=3", Wanted(3, None)),
        ("?threshold=0.25", Wanted(5, 0.25)),
        ("?threshold=0&top=2", Wanted(2, 0.0)),
        ("?threshold=1", Wanted(5, 1.0)),
        ("?threshold=1.0", Wanted(5, 1.0)),
        ("?threshold=.5", Wanted(5, 0.5)),
        ("?threshold=1e-05", Wanted(5, 1e-05)),
    ]:
        assert server.frame(pack(), query).status == 200, query
        assert asked.pop() == wanted, query


def test_what_is_asked_twice_is_refused(server: Server, pack: Any) -> None:
    for name, query in (("threshold", "?threshold=0.2&threshold=0.9"), ("top", "?top=1&top=1")):
        refusal = server.frame(pack(), query).refused(400, "bad_body")
        assert refusal["accepted"] == {name: "once"}, query


def test_a_threshold_that_is_no_score_is_refused(server: Server, pack: Any) -> None:
    for text in (
        "",
        "-0.1",
        "1.01",
        "2",
        "half",
        "nan",
        "inf",
        "1e400",
        "0_5",
        "0x1",
        "%D9%A3",
        ".",
        "9" * 5000,
    ):
        refusal = server.frame(pack(), f"?threshold={text}").refused(400, "bad_body")
        assert refusal["accepted"] == {"threshold": "0 to 1"}, text[:20]
        assert len(refusal["error"]) < 60


@pytest.fixture
def verbose(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes the task's answers so many characters long, as that of another package may."""

    class Long:
        def __init__(self, size: int) -> None:
            self.size = size

        def answer(self, outputs: Any) -> Any:
            del outputs
            return self

        def fields(self) -> dict[str, Any]:
            return {"text": "x" * self.size, "frame_id": "its own", "task": "another"}

    return lambda size: monkeypatch.setattr(LoadedNetwork, "task", lambda *_: Long(size))


def test_an_answer_that_no_edge_would_read_is_refused_rather_than_cut(
    server: Server, pack: Any, verbose: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = server.metric("rejected_total", reason="answer_too_long")
    for elements in (1 << 12, 0):  # made on the event loop, and on a thread
        monkeypatch.setattr("cloud.bodies.reply.QUICK_NUMBERS", elements)
        verbose((1 << 20) - 1000)
        assert len(server.frame(pack()).json["text"]) == (1 << 20) - 1000
        verbose(1 << 20)
        refusal = server.frame(pack()).refused(422, "answer_too_long")
        assert refusal["error"].endswith("and no edge reads more than 1048576; ask for less")
        assert refusal["accepted"]["max_bytes"] == 1 << 20
    assert server.metric("rejected_total", reason="answer_too_long") == before + 2
    until(server.is_empty)


def test_a_task_cannot_say_what_the_cloud_says(
    server: Server, pack: Any, verbose: Callable[[int], None]
) -> None:
    verbose(3)
    answer = server.frame(pack(frame_id=9)).json
    assert (answer["frame_id"], answer["task"], answer["text"]) == (9, "classify", "xxx")
