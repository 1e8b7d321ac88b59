"""The package in tests/plugin as if it were installed, without an installer."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "plugin"


def install(folder: Path) -> str:
    """Write into `folder` what an installer would; returns the PYTHONPATH under which the package is installed."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    (info / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in offers.items())
            for group, offers in project["entry-points"].items()
        )
    )
    root = PACKAGE.parents[1]
    return os.pathsep.join(map(str, (folder, PACKAGE, root)))
