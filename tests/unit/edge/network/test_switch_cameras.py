"""Several cameras over one network: what they share, and what each asks for by itself."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from kits.cameras import camera_of
from kits.edge import value
from kits.switching import A, B, waiting, with_edge

from edge.network import switch
from shared.codecs import encode_frame, make_codec
from shared.errors import UplinkError
from shared.wire import frame as wire


def packed(model):
    """A frame of this network."""
    crossing = [np.zeros((4, 3, 3), np.float32)]
    about = {"split_point": "relu", "fingerprint": model.fingerprint, "frame_id": 1, "deadline_ms": 1000}
    return wire.pack(encode_frame(crossing, make_codec("float32"), **about))


def test_cameras_share_what_they_ask_for_alike():
    """And all of it belongs to the same network, before and after another one is taken."""
    patient = {"deadline_s": 30.0}
    names = {"a": patient, "b": patient, "high": patient | {"threshold": 0.5}, "hasty": {"deadline_s": 0.25}}

    async def check(edge):
        edge.use([camera_of(name, **changes) for name, changes in names.items()])
        for model in (A, B):
            edge.cloud.serves = [A, B][: 1 + (model is B)]
            await (edge.switch.take("B") if model is B else edge.switch.open("A"))
            a, b, high, hasty = (edge.switch.editions.of(name) for name in names)
            assert a is b
            assert a.pilot is high.pilot, "they aim at the same"
            assert len({id(each) for each in (a, high, hasty)}) == 3
            assert hasty.pilot is not a.pilot
            assert {each.model for each in (a, high, hasty)} == {model}
            edge.cloud.queries.clear()
            for edition in (a, high):
                await edition.cloud.ask(packed(model))
            assert edge.cloud.queries == ["top=5", "top=5&threshold=0.5"]
            for name in names:
                in_force = value(edge.metrics, "plan_info", camera=name, split_point="relu", codec="float32")
                assert in_force == 1, name

    with_edge(check, cameras=names)


def test_a_hasty_cameras_late_frame_says_nothing_of_the_cloud():
    """Others wait longer, and are answered."""

    async def check(edge):
        edge.use([camera_of("hasty", deadline_s=0.05), camera_of("patient")])
        await edge.switch.open("A")
        hasty, patient = (edge.switch.editions.of(name).cloud for name in ("hasty", "patient"))
        gate = asyncio.Event()
        edge.line.client.request = waiting(edge, gate, [])
        asking = asyncio.create_task(patient.ask(packed(A)))
        for _ in range(5):
            with pytest.raises(UplinkError, match=r"no answer within 0\.05 s"):
                await hasty.ask(packed(A))
        assert edge.line.circuit.is_closed
        gate.set()
        await asking

    with_edge(check)


@pytest.mark.parametrize("thresholds", [(0.5, 0.25), (0.5, None)])
def test_a_session_is_opened_at_once_for_what_some_camera_asks(thresholds):
    names = {str(each): {} if each is None else {"threshold": each} for each in thresholds}

    async def check(edge):
        edge.use([camera_of(name, **changes) for name, changes in names.items()])
        asked = []
        uplink_of = switch.make_uplink

        def noted(*given, wanted, **options):
            asked.append(wanted.threshold)
            return uplink_of(*given, wanted=wanted, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(switch, "make_uplink", noted)
            await edge.switch.open("A")
        assert asked == [None if None in thresholds else thresholds[0]]

    with_edge(check, cameras=names)
