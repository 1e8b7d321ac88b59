"""Let the virtual environment in the given folder see what is installed in the one that runs this: `venv_on_top.py FOLDER`."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path


def main(folder: Path) -> int:
    """Exit status 0."""
    above = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    Path(above, "below.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
