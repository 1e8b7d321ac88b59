"""A picture of what appears in Home Assistant, drawn from the messages of its discovery: not a photograph of Home Assistant.

`python scripts/home_assistant_picture.py docs/pictures/home-assistant.webp`

The devices, their entities, names and icons are those that an edge with two cameras announces, and the values are what Home Assistant's
own templates, in the announcements, make of the states. Colours and layout are ours.
"""

from __future__ import annotations

import io
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.patches import FancyBboxPatch
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from edge.output.events.delivery.home_assistant import HomeAssistant  # noqa: E402
from edge.output.events.event import Event, Kind  # noqa: E402

_CAMERAS = ("door", "yard")
_HAPPENED: tuple[tuple[str | None, Kind, dict[str, Any]], ...] = (
    ("door", Kind.CAMERA_UP, {}),
    ("yard", Kind.CAMERA_UP, {}),
    ("door", Kind.CLASS_CHANGED, {"label": "tabby cat"}),
    ("yard", Kind.OBJECT_APPEARED, {"track": "a-1", "label": "person"}),
    ("yard", Kind.OBJECT_APPEARED, {"track": "a-2", "label": "person"}),
    ("yard", Kind.OBJECT_APPEARED, {"track": "a-3", "label": "dog"}),
)
_WORDS = {("connectivity", "ON"): "Connected", ("connectivity", "OFF"): "Disconnected"}
"""What Home Assistant shows for a binary sensor of this class."""
_WIDTH, _CARD, _LINE, _DOTS = 9.6, 3.0, 0.34, 110
_BLUE, _GREY, _TEXT = "#0288d1", "#727272", "#212121"


def devices() -> dict[str, list[tuple[str, str, str]]]:
    """For each device, by its name: the component, the name and the shown value of its entities."""
    home = HomeAssistant("homeassistant", "splitdnn", _CAMERAS, version="", host="edge-1")
    for number, (camera, kind, data) in enumerate(_HAPPENED, 1):
        event = Event(f"a-{number}", number, camera, kind, "2026-01-01T12:00:00.000+00:00", None, None, data)
        list(home.after(event))
    messages = {topic: json.loads(payload) for topic, payload in home.present()}
    templates = jinja2.Environment(autoescape=True)
    found = defaultdict(list)
    for topic, config in messages.items():
        if topic.endswith("/config"):
            made = templates.from_string(config["value_template"])
            value = made.render(value_json=messages[config["state_topic"]])
            shown = _WORDS.get((config.get("device_class", ""), value), value)
            found[config["device"]["name"]].append((topic.split("/")[1], config["name"], shown))
    return found


def picture() -> Image.Image:
    """The devices as cards."""
    cards = devices()
    tall = 1.05 + _LINE * max(map(len, cards.values()))
    figure = plt.figure(figsize=(_WIDTH, tall), dpi=_DOTS, facecolor="#fafafa")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, _WIDTH), ylim=(0, tall))
    axes.axis("off")
    for column, (name, entities) in enumerate(cards.items()):
        left, top = 0.15 + column * (_CARD + 0.15), tall - 0.15
        height = 0.75 + _LINE * len(entities)
        back = FancyBboxPatch((left, top - height), _CARD, height, boxstyle="round,pad=0,rounding_size=0.1")
        back.set(facecolor="white", edgecolor="#e0e0e0")
        axes.add_patch(back)
        axes.text(left + 0.15, top - 0.3, name, fontsize=11, fontweight="bold", color=_TEXT, va="center")
        for line, (component, title, value) in enumerate(entities):
            y = top - 0.7 - _LINE * line
            axes.plot(left + 0.25, y, "o" if component == "binary_sensor" else "s", color=_BLUE, markersize=5)
            axes.text(left + 0.45, y, title, fontsize=9.5, color=_TEXT, va="center")
            axes.text(left + _CARD - 0.15, y, value, fontsize=9.5, color=_GREY, va="center", ha="right")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    plt.close(figure)
    return Image.open(drawn).convert("RGB")


if __name__ == "__main__":
    picture().save(sys.argv[1], quality=80, method=6)
