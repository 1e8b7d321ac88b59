"""A whole cloud as its page shows it, from the parts of its workers."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from cloud.http.page.history import LATELY, History
from cloud.http.page.recent import SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cloud.http.page.recent import Row
    from cloud.http.page.state import Part

SHOWN = 32
"""Clients that have a line of their own; those that send most."""
_AT_ONCE = 20
"""Seconds that are joined in one turn of the loop; each takes 20 µs."""
_ADDED = ("frames", "bytes", "frames_per_s", "bytes_per_s")


class Whole:
    """Joins the parts, one reading after another."""

    def __init__(self) -> None:
        self._history = History()
        self._steps: deque[Mapping[str, tuple[float, float]]] = deque(maxlen=LATELY + 1)

    @property
    def since(self) -> int:
        """The first second that the parts of the next reading must have."""
        return self._history.since

    def catch_up(self, parts: Mapping[int, Part | None], second: int) -> Iterator[None]:
        """Join minutes that nobody has looked at, some seconds at a time: whoever looks first holds up no frame."""
        rows = _rows(parts)
        for until in range(max(self.since, second - SECONDS) + _AT_ONCE, second, _AT_ONCE):
            self._history.take(rows, until)
            yield

    def state(self, parts: Mapping[int, Part | None], second: int) -> dict[str, Any]:
        """What the page shows; `parts` by the number of the worker, None if it did not answer. `second` is the one that is not over yet."""
        there = [part for part in parts.values() if part is not None]
        self._history.take(_rows(parts), second)
        uptime_s = max((part["uptime_s"] for part in there), default=0.0)
        return {
            "state": "ready" if any(each["state"] == "ready" for each in there) else _first(there, "state"),
            "uptime_s": round(uptime_s, 1),
            "now": self._history.lately() | {"steps_ms": self._steps_ms(there)},
            "history": self._history.drawn(uptime_s),
            "workers": [_worker(number, part) for number, part in parts.items()],
            "queue": _sum(each["queue"] for each in there),
            "batches": _batches(there),
            "clients": _clients([each["clients"] for each in there]),
            "refused": _sum(each["refused"] for each in there),
            "networks": _networks(there),
            "network_changes": _sum(each["network_changes"] for each in there),
            "profiles": list({one["name"]: one for each in there for one in each["profiles"]}.values()),
            "bundles": {
                "served": any(each["bundles"]["served"] for each in there),
                "under_way": sum(each["bundles"]["under_way"] for each in there),
                "sent": _sum(each["bundles"]["sent"] for each in there),
            },
        }

    def _steps_ms(self, parts: list[Part]) -> dict[str, float | None]:
        """How long each step took a frame, in the mean of the last readings; None if there was none."""
        sums: dict[str, tuple[float, float]] = {}
        for part in parts:
            for step, (count, seconds) in part["steps"].items():
                counted, spent_s = sums.get(step, (0.0, 0.0))
                sums[step] = counted + count, spent_s + seconds
        self._steps.append(sums)
        earlier, found = self._steps[0], {}
        for step, (count, seconds) in sums.items():
            counted, spent_s = earlier.get(step, (0.0, 0.0))
            frames = count - counted  # less than none once a worker has died
            found[step] = round(1e3 * (seconds - spent_s) / frames, 3) if frames > 0 else None
        return found


def _rows(parts: Mapping[int, Part | None]) -> list[Row]:
    return [row for part in parts.values() if part is not None for row in part["rows"]]


def _first(parts: list[Part], name: str) -> Any:
    return parts[0][name] if parts else "silent"


def _sum(counted: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counted:
        total.update(each)
    return dict(total)


def _worker(number: int, part: Part | None) -> dict[str, Any]:
    if part is None:
        return {"number": number, "state": "silent"}
    cores = next((row[5] for row in reversed(part["rows"]) if row[5]), 0.0)
    rates = [each["frames_per_s"] for each in (*part["clients"]["known"].values(), part["clients"]["others"])]
    return {
        "number": number,
        "state": part["state"],
        "uptime_s": round(part["uptime_s"], 1),
        "memory_bytes": part["memory_bytes"],
        "cores": cores,
        "frames_per_s": round(sum(rates), 3),
        "queue": part["queue"]["depth"],
    }


def _batches(parts: list[Part]) -> dict[str, Any]:
    """How many runs of tails had so many frames, more than the bound before and at most this one; the last has none."""
    runs = [sum(each) for each in zip(*(part["batches"]["runs"] for part in parts), strict=True)]
    frames = sum(part["batches"]["frames"] for part in parts)
    return {
        "bounds": parts[0]["batches"]["bounds"] if parts else [],
        "runs": runs,
        "mean": round(frames / sum(runs), 3) if any(runs) else None,
        "most": max((part["batches"]["most"] for part in parts), default=0),
    }


def _clients(parts: list[dict[str, Any]]) -> dict[str, Any]:
    known: dict[str, dict[str, Any]] = {}
    others: dict[str, Any] = {}
    for part in parts:
        others = _together(others, part["others"])
        for name, said in part["known"].items():
            known[name] = _together(known.get(name, {}), said)
    order = sorted(known, key=lambda name: (-known[name]["frames_per_s"], known[name]["quiet_s"], name))
    for name in order[SHOWN:]:
        others = _together(others, known[name])
    hidden = max(0, len(known) - SHOWN) + sum(part["forgotten"] for part in parts)
    return {
        "active": sum(each["quiet_s"] <= LATELY for each in known.values()),
        "shown": [{"name": name, **known[name]} for name in order[:SHOWN]],
        "others": others | {"clients": hidden},
    }


def _together(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What two have done; `one` may be nobody."""
    if not one:
        return other
    return {
        **{name: one[name] + other[name] for name in _ADDED},
        "refused": _sum([one["refused"], other["refused"]]),
        "quiet_s": min(one["quiet_s"], other["quiet_s"]),
    }


def _networks(parts: list[Part]) -> list[dict[str, Any]]:
    """Each network that any worker holds, the current one first."""
    found: dict[str, dict[str, Any]] = {}
    for part in parts:
        for network in part["networks"]:
            one = found.get(network["fingerprint"])
            if one is None:
                found[network["fingerprint"]] = network
                continue
            one["current"] |= network["current"]
            one["idle_s"] = min(one["idle_s"], network["idle_s"])
            one["tails"] = _tails(one["tails"], network["tails"])
    return sorted(found.values(), key=lambda each: not each["current"])


def _tails(one: list[Part], other: list[Part]) -> list[Part]:
    """The tails of two workers, in the order of the network as far as either knows it."""
    found = {each["split_point"]: each for each in one}
    for each in other:
        here = found.setdefault(each["split_point"], each)
        if here is not each:
            both = [tail["lately_ms"] for tail in (here, each) if tail["lately_ms"] is not None]
            here["frames"] += each["frames"]
            here["ready"] |= each["ready"]
            here["lately_ms"] = round(sum(both) / len(both), 3) if both else None
            here["alone_ms"] = here["alone_ms"] if here["alone_ms"] is not None else each["alone_ms"]
    return list(found.values())
