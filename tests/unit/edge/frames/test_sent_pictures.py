"""At the split point `input` pictures travel: of the network's size, or the camera's own."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from kits.edge import FakeSource, FakeUplink, Run, pictures, same_answer
from kits.tiny import SIDE, tiny_model, whole

from edge.frames.preprocess import Preprocess
from shared.codecs import decode_frame
from shared.network.recipes.resize import fit_picture
from shared.tasks.classify import top_classes


@pytest.mark.parametrize("codec", ["raw", "png", "jpeg", "jpeg:quality=40", "webp"])
def test_input_sends_the_picture(codec):
    frames = list(pictures(3))
    run = Run(FakeSource(frames), split_point="input", codec=codec)
    records = run.to_end()
    assert run.answered_by() == ["cloud"] * 3
    preprocess = Preprocess(run.model.recipe)
    for each, sent, frame in zip(records, run.uplink.frames, frames, strict=True):
        assert [each.shape for each in sent.tensors] == [(SIDE, SIDE, 3)]
        assert each.payload_bytes == sent.payload_bytes
        (picture,) = decode_frame(sent)
        if codec in ("raw", "png"):
            assert (picture == preprocess(frame)).all()
            assert same_answer(each.answer.top, whole(run.model, frame))
        else:
            assert bytes(sent.tensors[0].payload[:4]) in (b"RIFF", b"\xff\xd8\xff\xe0")


@pytest.mark.parametrize("codec", ["raw", "png", "jpeg", "jpeg:subsampling=2", "webp"])
@pytest.mark.parametrize("grayscale", [False, True])
def test_the_cameras_own_picture_travels_if_asked_for(codec, grayscale):
    """The cloud resizes as the edge would have, and the edge still answers itself, whatever the outcome."""
    model = tiny_model()
    preprocess = Preprocess(model.recipe, grayscale=grayscale, source_size=True)
    frames = [
        np.random.default_rng(number).integers(0, 256, (21, 34, 3), dtype=np.uint8) for number in range(4)
    ]
    uplink = FakeUplink(model, ["good", "busy", "good", "late"])
    run = Run(FakeSource(frames), uplink, preprocess=preprocess, split_point="input", codec=codec)
    records = run.to_end()
    assert run.answered_by() == ["cloud", "edge", "cloud", "edge"]
    assert [each.frame_id & 0xFFFF for each in run.uplink.frames] == [0, 1, 2, 3]
    for each, sent, frame in zip(records, run.uplink.frames, frames, strict=True):
        assert [each.shape for each in sent.tensors] == [frame.shape]
        assert each.payload_bytes == sent.payload_bytes
        prepared = preprocess(frame)
        if codec in ("raw", "png"):
            there = fit_picture(decode_frame(sent)[0], model.recipe)
            assert np.abs(there.astype(int) - prepared).max() <= grayscale  # grey is made before or after
        if each.answered_by == "edge" or (codec in ("raw", "png") and not grayscale):
            logits = run.plan.tail((model.recipe.normalise(prepared)[None],))[0]
            assert same_answer(each.answer.top, top_classes(logits[0], model.labels, 5))
    assert run.count("payload_bytes_sum", codec=codec.partition(":")[0]) == sum(
        each.payload_bytes for each in records
    )


def test_a_camera_of_the_networks_own_size_sends_what_the_network_sees():
    """The cloud takes a picture of this size as it is. The recipe here enlarges before it crops."""
    model = tiny_model()
    recipe = dataclasses.replace(model.recipe, resize=SIDE + 4)
    preprocess = Preprocess(recipe, source_size=True)
    frame = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    run = Run(FakeSource([frame]), preprocess=preprocess, split_point="input", codec="raw")
    run.to_end()
    assert (decode_frame(run.uplink.frames[0])[0] == preprocess(frame)).all()
    assert (preprocess(frame) != frame[:, :, ::-1]).any()


def test_a_camera_above_the_wires_limit_is_answered_by_the_edge(caplog):
    frame = np.zeros((2160, 3840, 3), np.uint8)
    preprocess = Preprocess(tiny_model().recipe, source_size=True)
    run = Run(FakeSource([frame] * 2), preprocess=preprocess, split_point="input", codec="jpeg")
    for each in run.to_end():
        assert (each.answered_by, each.fallback, each.payload_bytes) == ("edge", "encode", 0)
        assert same_answer(each.answer.top, whole(run.model, frame))
    assert run.uplink.frames == []
    assert run.count("fallbacks_total", reason="encode") == 2
    assert (
        "frame 1 of camera cannot travel as jpeg: shape (2160, 3840, 3) has 24883200 elements" in caplog.text
    )
