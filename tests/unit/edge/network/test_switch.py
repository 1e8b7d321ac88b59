"""A changed network is taken at the next frame: none is lost, none is answered by a mixture, and the order holds."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from kits.edge import same_answer, value
from kits.switching import (
    FRAME,
    NETWORKS,
    A,
    B,
    C,
    Pictures,
    fingerprint,
    profile_of,
    until,
    waiting,
    with_edge,
)
from kits.tiny import whole

from shared.errors import MismatchError, ModelError

BY_FINGERPRINT = {fingerprint(model): model for model in NETWORKS.values()}


def consistent(edge, camera, *, rounded=False):
    """Every frame once, in order, each answered by the network that its record names."""
    assert [each.frame for each in edge.records] == list(range(camera.given))
    for each in edge.records:
        expected = whole(BY_FINGERPRINT[each.network], camera.frames[each.frame])
        if rounded:
            found = {one["class_id"]: one["probability"] for one in each.answer.top}
            assert found == pytest.approx({one["class_id"]: one["probability"] for one in expected}, abs=1e-3)
        else:
            assert same_answer(each.answer.top, expected)
    return [BY_FINGERPRINT[each.network] for each in edge.records]


def runs_of(networks):
    """Each network once for as long as it answered in a row."""
    return [model for number, model in enumerate(networks) if not number or networks[number - 1] is not model]


@pytest.mark.parametrize(("in_flight", "heads"), [(1, 1), (4, 1), (4, 3)])
def test_there_and_back_while_frames_flow(in_flight, heads):
    async def check(edge):
        cloud, camera, allowed = edge.cloud, Pictures(), 0
        await edge.switch.open("A")
        playing = asyncio.create_task(edge.pipeline(camera).run())
        for name, serves in (("B", [A, B]), ("A", [B, A]), ("C", [B, A, C]), ("B", [A, C, B])):
            camera.allow(20)
            allowed += 20
            await until(lambda least=allowed - 15: len(edge.records) > least)
            cloud.serves = serves
            await edge.switch.take(name)
            assert edge.switch.editions.any.model is NETWORKS[name]
        camera.allow(10)
        await until(lambda: len(edge.records) == 90)
        camera.end()
        await playing
        networks = consistent(edge, camera)
        assert runs_of(networks) == [A, B, A, C, B]
        assert {each.answered_by for each in edge.records} == {"cloud"}
        assert [
            BY_FINGERPRINT[frame.fingerprint.hex()]
            for frame in sorted(cloud.frames, key=lambda each: each.frame_id)
        ] == networks
        assert edge.loads == [("A", False, False), *((name, True, False) for name in "BACB")], (
            "never on the event loop's thread"
        )

    with_edge(check, in_flight=in_flight, queue_size=4, head_workers=heads)


def test_frames_that_are_under_way_end_as_they_began():
    """They left with the old network, and are answered after the new one has come into force."""

    async def check(edge):
        camera, gate, arrived = Pictures(), asyncio.Event(), []
        await edge.switch.open("A")
        edge.line.client.request = waiting(edge, gate, arrived)
        playing = asyncio.create_task(edge.pipeline(camera).run())
        camera.allow(4)
        await until(lambda: len(arrived) == 4)
        edge.cloud.serves = [A, B]
        taking = asyncio.create_task(edge.switch.take("B"))
        await until(lambda: edge.switch.editions.any.model is B)
        await taking
        assert edge.records == []
        gate.set()
        camera.allow(4)
        await until(lambda: len(edge.records) == 8)
        camera.end()
        await playing
        assert consistent(edge, camera) == [A] * 4 + [B] * 4

    with_edge(check, in_flight=4, queue_size=4)


def test_a_cloud_that_does_not_serve_the_old_one_any_more_costs_no_frame():
    """The edge answers its frames itself until it has the new one."""

    async def check(edge):
        camera = Pictures()
        await edge.switch.open("A")
        playing = asyncio.create_task(edge.pipeline(camera).run())
        camera.allow(5)
        await until(lambda: len(edge.records) == 5)
        edge.cloud.serves = [B]
        camera.allow(5)
        await until(lambda: len(edge.records) == 10)
        await edge.switch.take("B")
        edge.line.circuit.open("as three refusals did")
        await until(lambda: edge.line.circuit.is_half_open)
        camera.allow(10)
        await until(lambda: len(edge.records) == 20)
        camera.end()
        await playing
        assert consistent(edge, camera) == [A] * 10 + [B] * 10
        answered_by = [each.answered_by for each in edge.records]
        assert answered_by[:10] == ["cloud"] * 5 + ["edge"] * 5
        assert answered_by[-1] == "cloud"

    with_edge(check, in_flight=1)


def test_of_a_still_scene_no_answer_of_the_other_network_is_repeated():
    async def check(edge):
        camera = Pictures([FRAME] * 30)
        await edge.switch.open("A")
        playing = asyncio.create_task(edge.pipeline(camera).run())
        for number, name in enumerate(("B", "A", None)):
            camera.allow(10)
            await until(lambda: len(edge.records) == 10 * (number + 1))  # noqa: B023 - awaited at once
            if name:
                edge.cloud.serves.append(NETWORKS[name])
                await edge.switch.take(name)
        await playing
        assert consistent(edge, camera, rounded=True) == [A] * 10 + [B] * 10 + [A] * 10
        assert [each.answered_by for each in edge.records] == ["cloud", *["still"] * 9] * 3
        assert [each.repeats for each in edge.records] == [None, *[0] * 9, None, *[10] * 9, None, *[20] * 9]
        assert len(edge.cloud.frames) == 3

    with_edge(check, codec="int8", still_threshold=0.1, in_flight=1)


def test_the_new_networks_profile_is_at_the_cloud_before_its_first_frame():
    async def check(edge):
        camera = Pictures()
        await edge.switch.open("A")
        playing = asyncio.create_task(edge.pipeline(camera).run())
        camera.allow(5)
        await until(lambda: len(edge.records) == 5)
        edge.cloud.serves = [A, B]
        await edge.switch.take("B")
        assert edge.cloud.uploads == [profile_of(A).name, profile_of(B).name]
        edge.cloud.profiles.clear()  # a restart of the cloud: what is in force is brought again
        camera.allow(5)
        await until(lambda: len(edge.records) == 10)
        camera.end()
        await playing
        assert [each.network for each in edge.records] == [fingerprint(A)] * 5 + [fingerprint(B)] * 5
        assert [each.answered_by for each in edge.records] == ["cloud"] * 10

    with_edge(check, codec="calibrated", in_flight=1)


def test_one_that_cannot_be_loaded_changes_nothing():
    async def check(edge):
        await edge.switch.open("A")
        current = edge.switch.editions.any
        with pytest.raises(ModelError, match="no network X"):
            await edge.switch.take("X")
        assert edge.switch.editions.any is current
        assert value(edge.metrics, "plan_info", split_point="relu", codec="float32") == 1

    with_edge(check)


def test_one_that_the_cloud_does_not_run_is_a_mistake_where_the_user_chose_it():
    async def check(edge):
        await edge.switch.open("A")
        with pytest.raises(MismatchError, match="give both the same --model"):
            await edge.switch.take("B")
        assert edge.switch.editions.any.model is A

    with_edge(check, model="folder")


def test_every_network_is_asked_for_what_the_settings_want():
    async def check(edge):
        camera = Pictures()
        await edge.switch.open("A")
        playing = asyncio.create_task(edge.pipeline(camera).run())
        for count, name in ((3, "B"), (6, "A")):
            camera.allow(3)
            await until(lambda count=count: len(edge.records) == count)
            edge.cloud.serves = [A, B]
            await edge.switch.take(name)
        camera.end()
        await playing
        assert edge.cloud.queries == ["top=3&threshold=0.25"] * 6

    with_edge(check, top=3, threshold=0.25)


def test_the_metrics_say_which_network_is_in_force():
    async def check(edge):
        def running():
            return [
                sample.labels["fingerprint"]
                for each in edge.metrics.registry.collect()
                for sample in each.samples
                if sample.name == "splitdnn_build_info"
            ]

        await edge.switch.open("A")
        assert running() == [fingerprint(A)]
        edge.cloud.serves = [A, B]
        await edge.switch.take("B")
        assert running() == [fingerprint(B)]
        assert value(edge.metrics, "plan_info", split_point="relu", codec="float32") == 1

    with_edge(check)


def test_the_old_network_leaves_the_memory():
    async def check(edge):
        await edge.switch.open("A")
        old = weakref.ref(edge.switch.editions.any)
        edge.cloud.serves = [A, B]
        await edge.switch.take("B")
        gc.collect()
        assert old() is None

    with_edge(check)
