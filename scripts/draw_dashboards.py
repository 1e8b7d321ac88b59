"""A picture of a dashboard without Grafana: what its panels ask, asked of a Prometheus and plotted in their places.

`python scripts/draw_dashboards.py --prometheus http://127.0.0.1:9090 --dashboard fleet --rows 31 --output docs/pictures/fleet.webp`

The variables have their first values, all that there is. It shows the data, the places, the titles and the units; Grafana's own drawing
looks different.
"""

from __future__ import annotations

import argparse
import io
import json
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from panels import DRAWN, unit_of
from PIL import Image

if TYPE_CHECKING:
    from panels import Source

ROOT = Path(__file__).resolve().parent.parent
BOARDS = ROOT / "monitoring/grafana/dashboards"
_COLUMNS, _ROW_INCHES, _WIDTH_INCHES, _DOTS_PER_INCH = 24, 0.34, 17.0, 80
_MARGINS = {"timeseries": 0.034, "state-timeline": 0.17, "bargauge": 0.075}
_POINTS = 240


class Prometheus:
    """Asks one, with the dashboard's variables filled in, over the latest `minutes`."""

    def __init__(self, url: str, minutes: float, variables: dict[str, str]) -> None:
        self._url = url.rstrip("/")
        self._variables = variables
        self.end = time.time()
        self.start = self.end - 60 * minutes
        self._step = max(5, round((self.end - self.start) / _POINTS))

    def now(self, expression: str) -> list[dict[str, Any]]:
        """Series with a `value`."""
        return self._ask("query", expression, time=self.end)

    def over_time(self, expression: str) -> list[dict[str, Any]]:
        """Series with `values`."""
        return self._ask("query_range", expression, start=self.start, end=self.end, step=self._step)

    def _ask(self, path: str, query: str, **more: float) -> list[dict[str, Any]]:
        for name, value in self._variables.items():
            query = query.replace(f"${name}", value)
        asked = urllib.parse.urlencode({"query": query, **more})
        with urllib.request.urlopen(f"{self._url}/api/v1/{path}?{asked}", timeout=30) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found


def first_values(board: dict[str, Any]) -> dict[str, str]:
    """What a dashboard's variables are when it is opened."""
    return {
        each["name"]: each.get("allValue") or each["current"]["value"] for each in board["templating"]["list"]
    }


def picture(board: dict[str, Any], source: Source, first: int = 0, last: int = 10_000) -> Image.Image:
    """The panels that begin between two rows of the grid."""
    panels = [each for each in board["panels"] if first <= each["gridPos"]["y"] < last]
    height = max(each["gridPos"]["y"] + each["gridPos"]["h"] for each in panels) - first
    figure = plt.figure(
        figsize=(_WIDTH_INCHES, height * _ROW_INCHES), dpi=_DOTS_PER_INCH, facecolor="#f4f5f5"
    )
    for panel in panels:
        at = panel["gridPos"]
        left, top = at["x"] / _COLUMNS, 1 - (at["y"] - first) / height
        if panel["type"] == "row":
            figure.text(
                left + 0.005, top - 0.6 / height, panel["title"], fontsize=12, fontweight="bold", va="center"
            )
            continue
        width, tall = at["w"] / _COLUMNS, at["h"] / height
        back = figure.add_axes((left + 0.002, top - tall + 0.1 / height, width - 0.004, tall - 0.2 / height))
        back.set(xticks=[], yticks=[], facecolor="white")
        back.spines[:].set_color("#dddddd")
        unit = unit_of(panel["fieldConfig"]["defaults"])
        title = f"{panel['title']} ({unit})" if unit and "time" in panel["type"] else panel["title"]
        figure.text(left + 0.008, top - 0.65 / height, title, fontsize=9.5, fontweight="bold", va="center")
        margin = _MARGINS.get(panel["type"], 0.01)
        low = 2.0 if "time" in panel["type"] else 0.3  # room for the times and the names
        place = figure.add_axes(
            (left + margin, top - tall + low / height, width - margin - 0.012, tall - (low + 1.25) / height)
        )
        DRAWN[panel["type"]](place, panel, source)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    plt.close(figure)
    return Image.open(drawn).convert("RGB")


def main() -> None:
    """Ask and draw."""
    reader = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    reader.add_argument("--prometheus", required=True, help="its address")
    names = sorted(path.stem for path in BOARDS.glob("*.json"))
    reader.add_argument("--dashboard", required=True, choices=names)
    reader.add_argument("--minutes", type=float, default=15, help="how far back (default: 15)")
    reader.add_argument("--first-row", type=int, default=0, help="of the grid (default: 0)")
    reader.add_argument("--rows", type=int, default=10_000, help="how many of the grid (default: all)")
    reader.add_argument("--output", type=Path, required=True, help="a .webp or .png")
    options = reader.parse_args()
    board = json.loads((BOARDS / f"{options.dashboard}.json").read_text(encoding="utf-8"))
    source = Prometheus(options.prometheus, options.minutes, first_values(board) | {"__rate_interval": "20s"})
    drawn = picture(board, source, options.first_row, options.first_row + options.rows)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    drawn.save(options.output, quality=70, method=6)
    print(f"{options.output}: {drawn.width}x{drawn.height}, {options.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
