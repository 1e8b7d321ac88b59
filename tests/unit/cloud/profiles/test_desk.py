"""When a cloud looks for a profile at others: for each frame that needs it, and not again and again in vain."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from kits import virtual_time

from cloud.metrics import CloudMetrics
from cloud.profiles.desk import ProfileDesk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

NAME = 32 * "a"
NOBODY: Any = None


class Others:
    """The other clouds, of which one may have the profile; an answer takes a while."""

    def __init__(self, takes_s: float) -> None:
        self.takes_s = takes_s
        self.asked = 0
        self.has_it = False

    async def profile(self, _name: str) -> bytes | None:
        self.asked += 1
        found = b"it" if self.has_it else None
        await asyncio.sleep(self.takes_s)
        return found


class Desk(ProfileDesk):
    """Takes whatever it is given."""

    async def take(self, *_: Any) -> tuple[bool, list[str]]:
        return True, []


def with_desk(
    check: Callable[[Callable[..., Awaitable[bool]], Others], Awaitable[None]], takes_s: float
) -> None:
    """Run `check(bring, others)`."""

    async def go() -> None:
        others: Any = Others(takes_s)
        clock = asyncio.get_running_loop().time
        desk = Desk(NOBODY, NOBODY, CloudMetrics(), places=(NOBODY, NOBODY), fellows=others, clock=clock)

        def bring(*, anew: bool = False, patience_s: float = 3.0) -> Awaitable[bool]:
            return desk.bring(NAME, NOBODY, NOBODY, patience_s, anew=anew)

        await check(bring, others)
        desk.stop()

    virtual_time.run(go())


def test_a_question_before_the_upload_keeps_no_frame_from_being_looked_up_for() -> None:
    async def check(bring: Any, others: Others) -> None:
        assert not await bring(anew=True)
        others.has_it = True
        assert await bring()

    with_desk(check, 0.01)


def test_what_others_lack_for_a_frame_is_there_when_its_edge_has_sent_it() -> None:
    async def check(bring: Any, others: Others) -> None:
        assert not await bring()  # the edge is told, and sends it to another cloud
        others.has_it = True
        assert await bring()

    with_desk(check, 0.01)


def test_what_nobody_had_for_several_frames_is_asked_for_again_after_a_while_only() -> None:
    async def check(bring: Any, others: Others) -> None:
        for _ in range(10):
            assert not await bring()
            await asyncio.sleep(0.1)
        assert others.asked == 3
        assert not await bring(anew=True)
        assert others.asked == 4
        await asyncio.sleep(2.1)
        others.has_it = True
        assert await bring()

    with_desk(check, 0.01)


def test_a_frame_that_waits_for_what_was_asked_before_it_came_has_it_asked_once_more() -> None:
    async def check(bring: Any, others: Others) -> None:
        question = asyncio.ensure_future(bring(anew=True))
        await asyncio.sleep(0.5)
        others.has_it = True  # the upload came to another cloud, which had said no by then
        frames = [asyncio.ensure_future(bring()) for _ in range(5)]
        assert not await question
        assert await asyncio.gather(*frames) == [True] * 5
        assert others.asked == 2, "all of them wait for one answer"

    with_desk(check, 1.0)


def test_nobody_waits_longer_than_it_may() -> None:
    async def check(bring: Any, others: Others) -> None:
        begin = asyncio.get_running_loop().time()
        first = asyncio.ensure_future(bring())
        await asyncio.sleep(3)
        assert not await bring()
        assert not await first
        assert asyncio.get_running_loop().time() - begin <= 6.0
        assert others.asked == 2

    with_desk(check, 4.0)
