"""What Home Assistant is told: entities that it can make, and states that follow from the events."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import jinja2
import pytest
from kits.delivering import FakeReader, event, to_broker, until

from bench.soak.events.broker import Broker
from edge.output.events.delivery.home_assistant import HomeAssistant
from edge.output.events.event import Event, Kind

COMMON = {
    "name", "unique_id", "state_topic", "value_template", "availability_topic", "payload_available",
    "payload_not_available", "qos", "device", "origin",
}  # fmt: skip
OWN = {
    "sensor": {"icon", "state_class"},
    "binary_sensor": {"device_class", "entity_category"},
}
"""Keys that Home Assistant's documentation names, beside the common ones."""


def made(prefix: str = "splitdnn", cameras: tuple[str, ...] = ("door", "back.yard")) -> HomeAssistant:
    return HomeAssistant("homeassistant", prefix, cameras, version="0.15.0", host="attic")


def configs(home: HomeAssistant) -> dict[str, dict[str, Any]]:
    return {topic: json.loads(payload) for topic, payload in home.present() if topic.endswith("/config")}


def states(home: HomeAssistant) -> dict[str, dict[str, Any]]:
    return {topic: json.loads(payload) for topic, payload in home.present() if topic.endswith("/state")}


def shown(home: HomeAssistant, what: str) -> str:
    """What Home Assistant makes of the present state for an entity."""
    (config,) = (each for topic, each in configs(home).items() if f"/{what}/" in topic)
    value = states(home)[config["state_topic"]]
    return str(jinja2.Environment().from_string(config["value_template"]).render(value_json=value))


def take(home: HomeAssistant, *events: Event) -> list[tuple[str, dict[str, Any]]]:
    return [(topic, json.loads(payload)) for each in events for topic, payload in home.after(each)]


def appeared(number: int, track: str, label: str = "person") -> Event:
    return event(number, kind=Kind.OBJECT_APPEARED, track=track, label=label)


def left(number: int, track: str, label: str = "person") -> Event:
    return event(number, kind=Kind.OBJECT_LEFT, track=track, label=label)


def test_each_camera_is_a_device_with_three_entities_and_the_edge_one_with_one():
    found = configs(made())
    assert sorted(found) == [
        "homeassistant/binary_sensor/splitdnn/back_yard_5634df_connected/config",
        "homeassistant/binary_sensor/splitdnn/cloud/config",
        "homeassistant/binary_sensor/splitdnn/door_connected/config",
        "homeassistant/sensor/splitdnn/back_yard_5634df_objects/config",
        "homeassistant/sensor/splitdnn/back_yard_5634df_seen/config",
        "homeassistant/sensor/splitdnn/door_objects/config",
        "homeassistant/sensor/splitdnn/door_seen/config",
    ]
    devices = {each["device"]["identifiers"][0]: each["device"] for each in found.values()}
    assert {each["name"] for each in devices.values()} == {"door", "back.yard", "SplitDNN on attic"}
    for each in devices.values():
        assert each.get("via_device", "splitdnn") in devices


def test_every_entity_has_only_keys_that_home_assistant_knows_and_an_id_of_its_own():
    found = configs(made("home/Küche"))
    for topic, config in found.items():
        discovery, component, node, what, _ = topic.split("/")
        assert re.fullmatch("[a-zA-Z0-9_-]+", node)
        assert re.fullmatch("[a-zA-Z0-9_-]+", what)
        assert discovery == "homeassistant"
        assert config.keys() - COMMON <= OWN[component], topic
        assert config.keys() >= COMMON
        assert config["availability_topic"] == "home/Küche/status"
        assert (config["payload_available"], config["payload_not_available"]) == ("online", "offline")
    assert len({each["unique_id"] for each in found.values()}) == len(found)


def test_two_edges_at_one_broker_share_no_id():
    homes = [
        made(prefix, ("door", "x")) for prefix in ("splitdnn", "door", "a/b", "a_b", "a.b", "splitdnn/door")
    ]
    found = [each for home in homes for each in configs(home).items()]
    assert (
        len({topic for topic, _ in found}) == len({config["unique_id"] for _, config in found}) == len(found)
    )
    devices = {(config["device"]["identifiers"][0], config["device"]["name"]) for _, config in found}
    assert len(devices) == 3 * len(homes)


def test_what_is_not_known_yet_is_unknown():
    home = made()
    assert (shown(home, "door_seen"), shown(home, "door_objects")) == ("None", "0")
    assert shown(home, "door_connected") == "None"
    assert shown(home, "cloud") == "ON"


def test_states_follow_the_events():
    home = made()
    take(home, event(1, kind=Kind.CAMERA_UP), event(2, label="tabby cat"), event(1, None, Kind.CLOUD_AWAY))
    assert shown(home, "door_seen") == "tabby cat"
    assert shown(home, "door_connected") == "ON"
    assert shown(home, "cloud") == "OFF"
    take(home, event(3, kind=Kind.CAMERA_DOWN), event(2, None, Kind.CLOUD_BACK))
    assert (shown(home, "door_connected"), shown(home, "cloud")) == ("OFF", "ON")


def test_objects_are_counted_and_named():
    home = made()
    take(home, appeared(1, "r1-1"), appeared(2, "r1-2", "dog"), appeared(3, "r1-3"))
    assert (shown(home, "door_objects"), shown(home, "door_seen")) == ("3", "2 person, dog")
    take(home, left(4, "r1-1"), left(5, "r1-3"))
    assert (shown(home, "door_objects"), shown(home, "door_seen")) == ("1", "dog")
    take(home, left(6, "r1-2", "dog"))
    assert (shown(home, "door_objects"), shown(home, "door_seen")) == ("0", "nothing")


def test_objects_of_a_run_that_was_killed_are_not_counted_in_the_next():
    home = made()
    take(home, appeared(1, "r1-1"), appeared(2, "r1-2"), appeared(3, "r2-1"))
    assert shown(home, "door_objects") == "1"


def test_an_event_that_comes_twice_changes_nothing():
    home = made()
    events = [appeared(1, "r1-1"), left(2, "r1-1"), appeared(3, "r1-2")]
    assert [state["objects"] for _, state in take(home, *events)] == [1, 0, 1]
    assert take(home, *events) == []
    assert shown(home, "door_objects") == "1"


def test_a_state_is_no_longer_than_home_assistant_takes():
    home = made()
    take(home, *(appeared(number, f"r1-{number}", f"label {number}") for number in range(1, 100)))
    assert len(shown(home, "door_seen")) == 255


def test_a_camera_of_an_earlier_run_is_passed_over():
    assert take(made(), event(1, "garage")) == []


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_the_broker_keeps_entities_and_states_and_is_told_again_after_it_was_away(version):
    async def run():
        broker = await Broker().start()
        reader = FakeReader([event(1, label="cat")])
        home = HomeAssistant("homeassistant", "home/edge1", ["door"], version="0", host="attic")
        async with to_broker(broker, reader, version=version, discovery=home):
            state = "home/edge1/door/state"
            await until(lambda: b'"cat"' in broker.kept.get(state, b""), "the state")
            assert len([each for each in broker.kept if each.endswith("/config")]) == 4
            assert [topic for topic, _ in broker.received][-2:] == ["home/edge1/door/class_changed", state]
            await broker.stop()
            broker.kept.clear()
            await broker.start()
            await until(lambda: b'"cat"' in broker.kept.get(state, b""), "the state again")
            assert len([each for each in broker.kept if each.endswith("/config")]) == 4
        assert reader.confirmed == ["door-1"]

    asyncio.run(run())
