"""What the edge's page shows, read from a browser all at once, and whether it is what the records say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kits.browser import Tab

# All of one camera in one turn of the browser's loop, so that nothing of it is of another moment.
_READ = """(name) => {
  const card = [...document.querySelectorAll("[data-camera]")].find((each) => each.dataset.camera === name);
  if (!card) return null;
  const text = (part) => card.querySelector(`[data-part="${part}"]`).textContent;
  const canvas = card.querySelector('[data-part="picture"]');
  const parts = ["status", "headline", "frame", "who", "latency", "sent", "plan", "rate", "counts", "source"];
  return {
    status: card.dataset.status, frame: canvas.dataset.frame ?? null, hidden: canvas.hidden, width: canvas.width, height: canvas.height,
    boxes: JSON.parse(canvas.dataset.boxes ?? "[]"), label: canvas.getAttribute("aria-label"),
    findings: [...card.querySelectorAll('[data-part="findings"] li')].map((each) => each.textContent),
    text: Object.fromEntries(parts.map((part) => [part, text(part)])),
  };
}"""
_COLOURS = """([name, points]) => {
  const card = [...document.querySelectorAll("[data-camera]")].find((each) => each.dataset.camera === name);
  const canvas = card.querySelector('[data-part="picture"]'), pen = canvas.getContext("2d");
  return {
    frame: canvas.dataset.frame,
    points: points.map(([x, y]) => [...pen.getImageData(Math.floor(x), Math.floor(y), 1, 1).data].slice(0, 3)),
  };
}"""
_UNITS = {"": 1, "B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "ms": 1, "%": 0.01, "frames/s": 1, "B/s": 1}
_ROUNDED = 0.0051
"""What a figure of three digits may be off."""
_BESIDE = 5
"""Pixels from the middle of a line to where it is not."""
WHO = {"edge": "this edge", "still": "an earlier answer", "nobody": "nobody"}


@dataclass(frozen=True)
class Seen:
    """One camera's card at one moment."""

    status: str
    frame: int | None
    """Number of the frame whose picture is drawn; None if none is."""
    size: tuple[int, int]
    """(width, height) of the canvas, in its own pixels."""
    boxes: list[list[Any]]
    """[label, x0, y0, x1, y1] as they are drawn, in the canvas's pixels."""
    label: str
    findings: list[str]
    text: dict[str, str]


def look(tab: Tab, camera: str = "camera") -> Seen | None:
    """The card of a camera; None as long as there is none."""
    found = tab.page.evaluate(_READ, camera)
    if found is None:
        return None
    frame = None if found["hidden"] or found["frame"] is None else int(found["frame"])
    size = (found["width"], found["height"])
    return Seen(
        found["status"], frame, size, found["boxes"], found["label"], found["findings"], found["text"]
    )


def frames(tab: Tab, count: int, camera: str = "camera", *, after: int = -1) -> list[Seen]:
    """The cards of so many different frames later than `after`, as they come."""
    found: list[Seen] = []
    while len(found) < count:
        last = found[-1].frame if found else after
        script = f"""(name) => {{
          const canvas = [...document.querySelectorAll("[data-camera]")].find((each) => each.dataset.camera === name)
            ?.querySelector('[data-part="picture"]');
          return canvas && !canvas.hidden && Number(canvas.dataset.frame) > {last};
        }}"""
        tab.until(script, argument=camera, what=f"a frame of {camera} after {last}")
        seen = look(tab, camera)
        assert seen is not None
        found.append(seen)
    return found


def colours(
    tab: Tab, points: list[tuple[float, float]], camera: str = "camera"
) -> tuple[int, list[list[int]]]:
    """The frame that is drawn, and the (R, G, B) of these pixels of its canvas."""
    found = tab.page.evaluate(_COLOURS, [camera, points])
    return int(found["frame"]), found["points"]


def sides(card: Seen) -> list[list[tuple[float, float]]]:
    """For each side of the best box that lies within the canvas, but the upper one: a place on it, and one at each of its hands."""
    if not card.boxes:
        return []
    _, x0, y0, x1, y1 = card.boxes[0]
    wide, high = card.size
    across, down = (x0 + x1) / 2, y0 + 0.6 * (y1 - y0)
    found = [
        [(x, down), (x - _BESIDE, down), (x + _BESIDE, down)]
        for x in (x0, x1)
        if _BESIDE < x < wide - _BESIDE
    ]
    if _BESIDE < y1 < high - _BESIDE:
        found.append([(across, y1), (across, y1 - _BESIDE), (across, y1 + _BESIDE)])
    return found


def figure(text: str) -> float:
    """`1.25 kB` -> 1250. Raises ValueError for what is no figure."""
    found = re.fullmatch(r"([\d,]+(?:\.\d+)?) ?(\S*)", text)
    if not found or found[2] not in _UNITS:
        raise ValueError(f"{text!r} is no figure")
    return float(found[1].replace(",", "")) * _UNITS[found[2]]


def is_about(text: str, value: float, digit: float = 0.0) -> bool:
    """Whether a figure is this value, rounded to three digits, or to the last `digit`."""
    return abs(figure(text) - value) <= max(_ROUNDED * abs(value), digit)


def differences(seen: Seen, record: Mapping[str, Any]) -> list[str]:
    """Where a card is not what the record of its frame says."""
    text, found = seen.text, []

    def compare(what: str, *, same: bool, expected: object) -> None:
        if not same:
            found.append(f"{what}: {text.get(what)!r}, recorded {expected!r}")

    compare("frame", same=text["frame"] == str(record["frame"]) == str(seen.frame), expected=record["frame"])
    who = f"the cloud at {record['cloud']}" if record["cloud"] else WHO[record["answered_by"]]
    compare("who", same=text["who"].startswith(who), expected=record["answered_by"])
    if record["fallback"]:
        compare("who", same=record["fallback"].replace("_", " ") in text["who"], expected=record["fallback"])
    compare(
        "latency", same=is_about(text["latency"], record["latency_ms"], 0.001), expected=record["latency_ms"]
    )
    compare("sent", same=is_about(text["sent"], record["payload_bytes"]), expected=record["payload_bytes"])
    plan = [record["split_point"], *([] if record["codec"] == "none" else [record["codec"]])]
    compare("plan", same=text["plan"] == " ".join(plan), expected=plan)
    if "boxes" in record:
        found += _box_differences(seen, record)
    else:
        top = record["top"]
        compare("headline", same=text["headline"] == top[0]["label"], expected=top[0]["label"])
        for line, each in zip(seen.findings, top, strict=True):
            label, _, share = line.rpartition(" ")[0].rpartition(" ")
            if label != each["label"] or not is_about(f"{share} %", each["probability"], 0.00001):
                found.append(f"finding {line!r}, recorded {each}")
    return found


def _box_differences(seen: Seen, record: Mapping[str, Any]) -> list[str]:
    """Boxes that are not drawn where the record has them, to a pixel of the camera's picture."""
    wide, high = record["size"]
    across, down = seen.size[0] / wide, seen.size[1] / high
    drawn = [[label, x0 / across, y0 / down, x1 / across, y1 / down] for label, x0, y0, x1, y1 in seen.boxes]
    recorded = [[each["label"], *each["box"]] for each in record["boxes"]]
    if [each[0] for each in drawn] != [each[0] for each in recorded]:
        return [f"boxes {drawn}, recorded {recorded}"]
    return [
        f"box {one}, recorded {other}"
        for one, other in zip(drawn, recorded, strict=True)
        if max(abs(a - b) for a, b in zip(one[1:], other[1:], strict=True)) > 1
    ]
