"""An event and its JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kits.events import event_of

from edge.output.events.event import MAX_EVENT_BYTES, Event, Kind

EVENT = Event(
    id="0123456789abcdef-00000007",
    number=41,
    camera="door",
    kind=Kind.OBJECT_APPEARED,
    time="2026-11-29T12:00:00.678+00:00",
    frame=17,
    frame_id="0123456700000011",
    data={"label": "cat", "box": [1.0, 2.5, 3.0, 4.0]},
)


def test_its_json_has_every_field_in_order_on_one_line():
    assert EVENT.json() == (
        b'{"id":"0123456789abcdef-00000007","number":41,"camera":"door","kind":"object_appeared",'
        b'"time":"2026-11-29T12:00:00.678+00:00","frame":17,"frame_id":"0123456700000011",'
        b'"data":{"label":"cat","box":[1.0,2.5,3.0,4.0]}}'
    )
    assert Event.parse(EVENT.json()) == EVENT


@given(label=st.text(max_size=50))
def test_whatever_a_class_is_called_the_json_is_one_line_that_says_the_same(label):
    event = replace(EVENT, data={"label": label})
    data = event.json()
    assert b"\n" not in data
    assert b"\r" not in data
    assert json.loads(data)["data"]["label"] == label
    assert Event.parse(data) == event


def test_what_is_no_event_is_refused():
    good = json.loads(EVENT.json())
    for change in (
        {"kind": "other"},
        {"number": "41"},
        {"number": True},
        {"id": None},
        {"time": "yesterday"},
        {"frame": 1.5},
        {"data": []},
        {"more": 1},
    ):
        with pytest.raises(ValueError, match=r".+"):
            Event.parse(json.dumps(good | change).encode())
    for data in (b"", b"[]", b"{}", b"\xff", b"[" * 5000, b'{"id":NaN}', b" " * (MAX_EVENT_BYTES + 1)):
        with pytest.raises(ValueError, match=r".+"):
            Event.parse(data)


def test_the_edge_s_own_events_have_no_camera():
    event = event_of(3, camera=None, kind=Kind.CLOUD_AWAY)
    assert json.loads(event.json())["camera"] is None
    assert Event.parse(event.json()) == event
