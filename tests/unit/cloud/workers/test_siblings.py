"""What a worker asks of the others, and does for them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from cloud.access.refusals import OverQuotaError
from cloud.metrics import CloudMetrics
from cloud.workers.channel import Channel, GoneError, Message
from cloud.workers.sharing import Sharing
from cloud.workers.siblings import Siblings
from cloud.workers.sums import Collected
from shared.errors import EngineError, UnavailableError
from shared.observing.telemetry import exposition
from shared.security.sessions import Sessions
from shared.security.tokens.keyring import digest_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def asked(
    question: Callable[[Siblings], Awaitable[Any]], answer: Message | None
) -> tuple[Any, list[Message]]:
    """What the question comes to with a parent that gives this answer, or with one that has ended; and what the parent was asked."""

    async def scenario() -> tuple[Any, list[Message]]:
        heard: list[Message] = []

        async def handle(message: Message) -> Message | None:
            heard.append(message)
            return answer

        ours, theirs = [await Channel.over(end) for end in socket.socketpair()]
        listening = asyncio.create_task(ours.run(handle))
        parent = asyncio.create_task(theirs.run(handle))
        if answer is None:
            theirs.close()
            await listening
        try:
            return await question(Siblings(ours, "c10d" * 4)), heard
        finally:
            for channel in (ours, theirs):
                channel.close()
            await asyncio.gather(listening, parent)

    return asyncio.run(scenario())


def test_a_refusal_of_another_worker_is_the_senders_and_a_dead_one_is_none() -> None:
    def bring(siblings: Siblings) -> Awaitable[None]:
        return siblings.profile(b"data", "gate-3")

    _, heard = asked(bring, Message("done"))
    assert heard == [Message("profile", {"client": "gate-3"}, b"data")]
    with pytest.raises(OverQuotaError, match="in another worker: no place"):
        asked(bring, Message("done", {"refused": "no place"}))


def test_without_the_parent_nothing_is_read_in_place_of_all() -> None:
    async def read(siblings: Siblings) -> Any:
        siblings._channel.close()
        return await siblings.metrics()

    families = [{"name": "c", "help": "C", "type": "counter", "samples": [["c_total", {}, 3.0]]}]
    found, _ = asked(Siblings.metrics, Message("done", body=json.dumps(families).encode()))
    assert isinstance(found, Collected)
    assert "c_total 3.0" in exposition(found, "")[1].decode()
    with pytest.raises(UnavailableError, match="the metrics of all workers cannot be read"):
        asked(Siblings.metrics, Message("failed", {"why": "it"}))


def test_a_session_of_another_worker_opens_and_ends_here_too() -> None:
    now = 100.0
    there, here = Sessions(clock=lambda: now), Sessions(clock=lambda: now)
    key, session = there.begin(b"token")
    _, (told,) = asked(lambda siblings: siblings.session(digest_of(key).hex(), session), Message("done"))
    service: Any = SimpleNamespace(door=SimpleNamespace(sessions=here), metrics=CloudMetrics())
    assert asyncio.run(Sharing(service).handle(told)) is None
    assert here.find(key) == session
    assert key not in str(told), "a key is the browser's alone"
    _, (told,) = asked(lambda siblings: siblings.session(digest_of(key).hex(), None), Message("done"))
    asyncio.run(Sharing(service).handle(told))
    assert here.find(key) is None


def test_a_reading_is_every_metric() -> None:
    metrics = CloudMetrics()
    metrics.abandoned.inc()
    service: Any = SimpleNamespace(metrics=metrics)
    answer = asyncio.run(Sharing(service).handle(Message("reading")))
    assert answer
    text = exposition(Collected(json.loads(answer.body)), "")[1].decode()
    assert "splitdnn_cloud_abandoned_total 1.0" in text


def test_a_page_is_that_of_all_workers() -> None:
    found, heard = asked(
        lambda siblings: siblings.page(17), Message("done", body=b'{"1": {"state": "ready"}, "2": null}')
    )
    assert found == {1: {"state": "ready"}, 2: None}
    assert heard == [Message("page", {"since": 17})]
    with pytest.raises(GoneError):
        asked(lambda siblings: siblings.page(0), Message("failed", {"why": "it"}))


def test_a_network_is_taken_even_if_another_worker_cannot_load_it(caplog: pytest.LogCaptureFixture) -> None:
    _, heard = asked(lambda siblings: siblings.loaded("d1"), Message("done"))
    assert heard == [Message("loaded", {"digest": "d1"})]
    assert not caplog.text
    asked(lambda siblings: siblings.loaded("d1"), Message("failed", {"why": "no answer"}))
    assert (
        "another worker has not loaded the new network, which is taken without it: no answer" in caplog.text
    )


def test_the_first_network_that_is_not_int8_says_how_all_are_computed() -> None:
    async def become_ready(siblings: Siblings) -> Any:
        for precision in ("int8", "bfloat16", "float32"):
            await siblings.ready("openvino", precision, "digest")
        return siblings.alike

    alike, heard = asked(become_ready, Message("done", body=b"{}"))
    assert alike == ("openvino", "bfloat16")
    assert [each.fields["alike"] for each in heard] == [None, *[["openvino", "bfloat16"]] * 2]


def loading(*found: tuple[str, str], answer: Message | None) -> tuple[Any, list[Message]]:
    """How networks of these engines and precisions were asked for, one after another, by a worker that began with an int8 one."""
    asked_for: list[Any] = []

    async def load(siblings: Siblings) -> Any:
        def at_hand(engine: str, precision: str) -> Callable[[Any], Any]:
            def load_it(alike: Any) -> Any:
                asked_for.append(alike)
                if engine == "none":
                    raise EngineError("no engine runs it")
                return SimpleNamespace(engine=SimpleNamespace(name=engine, precision=precision))

            return load_it

        siblings.computing(at_hand("openvino", "int8"))  # the first of all: nobody listens yet
        if answer is not None:
            await siblings.ready("openvino", "int8", "digest")
        for each in found:
            with contextlib.suppress(EngineError):
                await asyncio.to_thread(siblings.computing, at_hand(*each))
        await asyncio.sleep(0.05)
        return siblings.alike

    alike, heard = asked(load, answer)
    return (alike, asked_for), [each for each in heard if each.kind in ("choosing", "chosen")]


def test_whoever_may_choose_says_how_the_first_network_that_is_not_int8_is_computed() -> None:
    nothing_yet = Message("done", {"alike": None}, b"{}")
    (alike, asked_for), heard = loading(
        ("none", ""), ("torch", "int8"), ("openvino", "bfloat16"), ("x", "y"), answer=nothing_yet
    )
    assert alike == ("openvino", "bfloat16")
    assert asked_for == [None, None, None, None, alike], "once it is known nobody is asked"
    said = [each.fields["alike"] for each in heard if each.kind == "chosen"]
    assert said == [None, None, [*alike]]
    assert [each.kind for each in heard] == ["choosing", "chosen"] * 3


def test_what_another_worker_has_chosen_is_taken() -> None:
    (alike, asked_for), _ = loading(
        ("openvino", "float32"), answer=Message("done", {"alike": ["openvino", "float32"]}, b"{}")
    )
    assert alike == ("openvino", "float32")
    assert asked_for == [None, ("openvino", "float32")]
