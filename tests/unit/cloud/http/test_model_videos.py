"""`POST /model`: a video's keyframe is answered, any other picture of a video needs a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.codecs import VIDEO_CODECS, changed, name_of, picture
from kits.videos import encoded, moving

from shared.codecs import NAMES
from shared.network.recipes.resize import fit_picture
from shared.tasks.classify import top_classes
from shared.wire import frame as wire

if TYPE_CHECKING:
    from kits.cloud import Server

    from shared.engines.load import Network
    from shared.network.model import Model

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("codec", VIDEO_CODECS, ids=name_of)
def test_a_picture_that_needs_another_is_refused(server: Server, pack: Any, codec) -> None:
    pictures = moving(2, 224, 224)
    _, second = encoded(codec.name, pictures)
    frame = wire.unpack(pack(pictures[0], codec.name, split_point="input"))
    answer = server.frame(wire.pack(changed(frame, params=second.params, payload=second.payload)))
    assert (answer.status, answer.json["reason"]) == (424, "state_missing")
    assert "keyframe" in answer.json["error"]


def test_a_keyframe_of_the_cameras_size_is_resized(
    server: Server, model: Model, network: Network, pack: Any
) -> None:
    data = pack(picture(360, 640), "h265", split_point="input", frame_id=3)
    (sent,) = wire.unpack(data).tensors
    decoded = NAMES["h265"].decode(sent.params, sent.payload, sent.shape)
    tensor = model.recipe.normalise(fit_picture(decoded, model.recipe))
    (logits,) = network.engine.tail(network.partition.point("input"))((tensor[None],))
    answer = server.frame(data).json
    expected = top_classes(np.asarray(logits[0]), model.labels, 5)
    assert [entry["class_id"] for entry in answer["top"]] == [entry["class_id"] for entry in expected]


def test_a_payload_that_is_no_video_is_refused(server: Server, pack: Any) -> None:
    frame = wire.unpack(pack(picture(224, 224), "h264", split_point="input"))
    answer = server.frame(wire.pack(changed(frame, payload=b"no video")))
    assert (answer.status, answer.json["reason"]) == (422, "bad_content")
    answer = server.frame(wire.pack(changed(frame, params=b"")))
    assert (answer.status, answer.json["reason"]) == (422, "bad_content")
