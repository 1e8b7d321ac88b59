"""One edge and several clouds behind a balancer: a profile is sent once to each, and no frame is lost for want of it."""

from __future__ import annotations

import asyncio

from kits.keeping import PROFILE
from kits.profile_fleet import at_random, by_turns, heeding, with_fleet
from kits.uplink import FRAME, metric, refusal

FRAMES = 80


async def _ask(uplink, count, at_once=1):
    """So many frames, several at once; every one must be answered by a cloud."""
    left = iter(range(count))

    async def one_after_another():
        for _ in left:
            await uplink.ask(FRAME, PROFILE)

    await asyncio.gather(*(one_after_another() for _ in range(at_once)))


def test_by_strict_turns_each_cloud_is_sent_it_once():
    for clouds in (2, 3, 4, 7):
        for at_once in (1, 4):

            async def check(fleet, uplink, clouds=clouds, at_once=at_once):
                await uplink.check()
                await _ask(uplink, FRAMES, at_once)
                case = clouds, at_once
                assert [each.uploads for each in fleet.members] == clouds * [1], case
                assert sum(each.answered for each in fleet.members) == FRAMES, case
                assert metric(uplink, "profile_uploads_total") == clouds, case
                refused = fleet.refused
                await _ask(uplink, FRAMES, at_once)
                assert (fleet.uploads, fleet.refused) == (clouds, refused), case

            with_fleet(check, by_turns(), clouds, deadline_s=20.0)


def test_at_random_it_is_sent_no_more_often_than_there_are_clouds():
    for seed in range(4):
        for at_once in (1, 4):

            async def check(fleet, uplink, case=(seed, at_once)):
                await uplink.check()
                await _ask(uplink, FRAMES, case[1])
                assert fleet.uploads <= 3, case
                assert sum(each.answered for each in fleet.members) == FRAMES, case

            with_fleet(check, at_random(seed), deadline_s=20.0)


def test_a_balancer_that_heeds_the_header_is_sent_it_once_for_each():
    for seed in range(4):
        members = []

        async def check(fleet, uplink, members=members, seed=seed):
            members[:] = [fleet]
            await uplink.check()
            await _ask(uplink, FRAMES, 3)
            assert [each.uploads for each in fleet.members if each.refused or each.answered] == 3 * [1], seed

        with_fleet(
            check, heeding(lambda members=members: members[0].members, at_random(seed)), deadline_s=20.0
        )


def test_a_cloud_that_is_started_again_is_sent_it_again():
    async def check(fleet, uplink):
        await uplink.check()
        await _ask(uplink, 9)
        for number in (1, 2):
            fleet.restart(number)
            await _ask(uplink, 9)
            assert PROFILE.name in fleet.members[number].names, number
        assert fleet.uploads == 5

    with_fleet(check, by_turns(), deadline_s=20.0)


def test_what_a_cloud_has_from_elsewhere_is_not_sent_to_it():
    """Another edge has brought it, or a folder that the clouds share: the question before the upload finds that out."""

    async def check(fleet, uplink):
        await uplink.check()
        for member in fleet.members:
            member.names.add(PROFILE.name)
        await _ask(uplink, 9)
        assert (fleet.uploads, fleet.refused) == (1, 0)

    with_fleet(check, by_turns(), deadline_s=20.0)


def test_it_is_brought_without_a_frame_where_the_greeting_did_not():
    async def check(fleet, uplink):
        assert not uplink.has(PROFILE)
        await uplink.bring(PROFILE)
        assert uplink.has(PROFILE)
        assert [each.uploads for each in fleet.members] == [1]
        assert await uplink.ask(FRAME, PROFILE)
        assert (fleet.uploads, fleet.refused) == (1, 0)

    with_fleet(check, by_turns(), 1, deadline_s=20.0)


def test_a_shortage_is_said_once_and_costs_no_frame(caplog):
    """All uploads went to one cloud, as this balancer wants it."""

    async def check(fleet, uplink):
        turns = iter(range(1_000_000))
        fleet.choose = lambda request: 0 if request.method in ("PUT", "HEAD") else next(turns)
        await uplink.check()
        await _ask(uplink, FRAMES)
        assert [each.uploads for each in fleet.members] == [3, 0, 0]
        assert fleet.members[0].answered == FRAMES
        assert metric(uplink, "profile_shortages_total") > 1
        assert sum("its siblings" in line or "--siblings" in line for line in caplog.messages) == 1

    with_fleet(check, by_turns(), deadline_s=20.0)


def test_a_frame_that_only_meets_clouds_without_it_is_the_edges():
    async def check(fleet, uplink):
        await uplink.check()
        await _ask(uplink, 9)
        for member in fleet.members:
            member.names.clear()
        asked = len(uplink._line.client.clouds.known())
        error = await refusal(uplink, PROFILE)
        assert (error.reason, asked) == ("profile", 3)
        assert uplink.circuit.is_closed
        assert fleet.uploads == 3

    with_fleet(check, by_turns(), deadline_s=20.0)


def test_an_upload_for_which_there_is_no_cloud_at_the_moment_is_sent_once_more():
    async def check(fleet, uplink):
        answers = iter([(503, b"<html>no server</html>")])
        put = fleet.put

        async def first_refused(request):
            for answer in answers:
                return await fleet.cloud._respond(answer, request)
            return await put(request)

        fleet.cloud.put = first_refused
        await uplink.check()
        await _ask(uplink, 1)
        assert metric(uplink, "proxy_answers_total", status="503") == 1
        assert metric(uplink, "profile_uploads_total") >= 1

    with_fleet(check, by_turns(), deadline_s=20.0)


def test_a_frame_for_which_there_is_no_cloud_at_the_moment_is_sent_once_more():
    async def check(fleet, uplink):
        await uplink.check()
        await _ask(uplink, 9)
        choose, asked = fleet.choose, iter(range(1_000_000))
        fleet.choose = lambda request: None if next(asked) % 3 == 1 else choose(request)
        await _ask(uplink, 9)
        assert metric(uplink, "proxy_answers_total", status="503") == metric(uplink, "retries_total") > 3
        assert fleet.uploads == 3

    with_fleet(check, by_turns(), deadline_s=20.0)
