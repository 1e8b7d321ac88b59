"""What makes an edge's cameras appear in Home Assistant by themselves: its MQTT discovery, and states that the broker keeps.

    DISCOVERY/COMPONENT/NODE/WHAT/config     what there is, one for each entity
    PREFIX/CAMERA/state                      {"seen": "2 person, dog", "objects": 3, "connected": true}
    PREFIX/state                             {"cloud": true}

States follow from the events, as they are sent: an event that is sent once more changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge.output.events.delivery.mqtt import OFFLINE, ONLINE, STATUS
from edge.output.events.event import Kind
from shared.security.escape import escaped_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge.output.events.event import Event

STATE = "state"
_MAX_STATE = 255
"""Characters of a state, as Home Assistant takes it."""
_MAX_OBJECTS = 1000
"""Objects of one camera that are counted."""
_ON_OFF = "{{{{ {{true: 'ON', false: 'OFF'}}.get(value_json.{}) }}}}"
"""Neither while it is not known: Home Assistant shows `None` as unknown."""
_OWN, _MARK = "splitdnn", 6


@dataclass
class _Camera:
    seen: str | None = None
    connected: bool | None = None
    objects: dict[str, str] = field(default_factory=dict)
    """The label of each object that is there, by its track."""
    number: int = 0
    """The latest event's."""

    def take(self, event: Event) -> bool:
        """Whether it changes what is shown."""
        before, data = self.state(), event.data
        if event.kind in (Kind.CAMERA_UP, Kind.CAMERA_DOWN):
            self.connected = event.kind is Kind.CAMERA_UP
        elif event.kind is Kind.CLASS_CHANGED:
            self.seen = str(data.get("label"))
        elif event.kind is Kind.OBJECT_APPEARED:
            self._appeared(str(data.get("track")), str(data.get("label")))
        elif event.kind is Kind.OBJECT_LEFT:
            self.objects.pop(str(data.get("track")), None)
            self.seen = self._seen()
        return self.state() != before

    def state(self) -> dict[str, Any]:
        seen = None if self.seen is None else self.seen[:_MAX_STATE]
        return {"seen": seen, "objects": len(self.objects), "connected": self.connected}

    def _appeared(self, track: str, label: str) -> None:
        run = track.rpartition("-")[0]
        # Of those that an edge saw before it was started again, nobody tells that they have left.
        self.objects = {each: name for each, name in self.objects.items() if each.rpartition("-")[0] == run}
        if len(self.objects) < _MAX_OBJECTS:
            self.objects[track] = label
        self.seen = self._seen()

    def _seen(self) -> str:
        counts = Counter(self.objects.values())
        return (
            ", ".join(f"{count} {label}" if count > 1 else label for label, count in counts.items())
            or "nothing"
        )


class HomeAssistant:
    """One broker's."""

    def __init__(
        self, discovery: str, prefix: str, cameras: Sequence[str], *, version: str, host: str
    ) -> None:
        """`discovery`: the prefix of Home Assistant's own topics. `prefix`: that of the events. `version`: ours. `host`: this machine's name."""
        self._discovery, self._prefix, self._version, self._host = discovery, prefix, version, host
        self._cameras = {name: _Camera() for name in cameras}
        self._cloud, self._number = True, 0
        self._node = prefix if prefix == _OWN else f"{_OWN}_{_id(prefix)}"

    def present(self) -> Iterator[tuple[str, bytes]]:
        """The entities, and the state of each."""
        edge = self._device(self._prefix, f"SplitDNN on {self._host}", "edge")
        yield self._entity(
            "binary_sensor", "cloud", "Cloud", self._topic(STATE), edge,
            value_template=_ON_OFF.format("cloud"), device_class="connectivity", entity_category="diagnostic",
        )  # fmt: skip
        for name in self._cameras:
            device = self._device(self._topic(name), name, "camera") | {"via_device": self._prefix}
            topic = self._topic(name, STATE)
            yield self._entity(
                "sensor", f"{name}/seen", "Seen", topic, device, value_template="{{ value_json.seen }}", icon="mdi:eye"
            )  # fmt: skip
            yield self._entity(
                "sensor", f"{name}/objects", "Objects", topic, device,
                value_template="{{ value_json.objects }}", icon="mdi:counter", state_class="measurement",
            )  # fmt: skip
            yield self._entity(
                "binary_sensor", f"{name}/connected", "Camera", topic, device,
                value_template=_ON_OFF.format("connected"), device_class="connectivity", entity_category="diagnostic",
            )  # fmt: skip
        yield self._edge_state()
        for name in self._cameras:
            yield self._camera_state(name)

    def after(self, event: Event) -> Iterator[tuple[str, bytes]]:
        """The state that it changes, if it does."""
        if event.camera is None:
            if event.number > self._number and event.kind in (Kind.CLOUD_AWAY, Kind.CLOUD_BACK):
                self._number, self._cloud = event.number, event.kind is Kind.CLOUD_BACK
                yield self._edge_state()
            return
        camera = self._cameras.get(event.camera)  # an earlier run may have had others
        if camera and event.number > camera.number:
            camera.number = event.number
            if camera.take(event):
                yield self._camera_state(event.camera)

    def _edge_state(self) -> tuple[str, bytes]:
        return self._topic(STATE), _json({"cloud": self._cloud})

    def _camera_state(self, name: str) -> tuple[str, bytes]:
        return self._topic(name, STATE), _json(self._cameras[name].state())

    def _topic(self, *words: str) -> str:
        return "/".join([self._prefix, *words])

    def _device(self, identifier: str, name: str, model: str) -> dict[str, Any]:
        return {
            "identifiers": [identifier],
            "name": name,
            "manufacturer": "SplitDNN",
            "model": model,
            "sw_version": self._version,
        }

    def _entity(
        self, component: str, what: str, name: str, topic: str, device: dict[str, Any], **more: str
    ) -> tuple[str, bytes]:
        payload = {
            "name": name,
            "unique_id": self._topic(what),
            "state_topic": topic,
            **more,
            "availability_topic": self._topic(STATUS),
            "payload_available": ONLINE.decode(),
            "payload_not_available": OFFLINE.decode(),
            "qos": 1,
            "device": device,
            "origin": {"name": "SplitDNN", "sw_version": self._version},
        }
        place = "_".join(map(_id, what.split("/")))
        return f"{self._discovery}/{component}/{self._node}/{place}/config", _json(payload)


def _id(text: str) -> str:
    """Letters, digits, `_` and `-`; never the same for two texts."""
    made = re.sub(r"[^A-Za-z0-9_-]", "_", text)
    if made == text:
        return text
    return f"{made}_{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:_MARK]}"


def _json(value: dict[str, Any]) -> bytes:
    return escaped_json(json.dumps(value, ensure_ascii=False)).encode(errors="backslashreplace")
