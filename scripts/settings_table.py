"""The README's table of settings, from the code. `python scripts/settings_table.py --write` puts it there."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from cloud.config import CloudSettings  # noqa: E402
from edge.config import EdgeSettings  # noqa: E402
from shared.settings import PREFIX, CommonSettings  # noqa: E402

README = ROOT / "README.md"
START = "<!-- settings: made by scripts/settings_table.py, checked by a test -->\n"
END = "<!-- end of settings -->"


def table() -> str:
    """A row for each setting: those of both sides first, then the edge's, then the cloud's.

    What one side says differently of a setting that both have is a row of that side.
    """
    lines = ["| variable | side | default | meaning |", "|---|---|---|---|"]
    for side, settings in (("both", CommonSettings), ("edge", EdgeSettings), ("cloud", CloudSettings)):
        for name, field in settings.model_fields.items():
            common = CommonSettings.model_fields.get(name)
            if side == "both" or common is None or common.description != field.description:
                default = "" if field.default is None else f"`{field.default}`"
                lines.append(f"| `{PREFIX}{name.upper()}` | {side} | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the table, or write it into the README."""
    if sys.argv[1:] == ["--write"]:
        before, _, rest = README.read_text(encoding="utf-8").partition(START)
        _, _, after = rest.partition(END)
        README.write_text(f"{before}{START}{table()}{END}{after}", encoding="utf-8")
    else:
        print(table(), end="")


if __name__ == "__main__":
    main()
