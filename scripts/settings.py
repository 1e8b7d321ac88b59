"""Everything that is written down about settings, made from the settings classes.

A setting is added in one place, as a field of CommonSettings, EdgeSettings or CloudSettings. `python scripts/settings.py
--write` then renews the README's table, .env.example, the lists of compose.yaml and the names that shared/process/settings.py knows;
a test fails while any of them differs. Without a flag it prints the table.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from cloud.config import CloudSettings  # noqa: E402
from edge.config import EdgeSettings  # noqa: E402
from shared.process.settings import PREFIX, CommonSettings  # noqa: E402

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

SIDES = {"both": CommonSettings, "edge": EdgeSettings, "cloud": CloudSettings}
FIXED = ("ADDRESS", "CACHE_DIR", "PORT", "STATUS_ADDRESS", "STATUS_PORT")
"""Set by compose.yaml itself, as its networks, volumes and health checks depend on them."""
COMPOSE_ONLY = {
    "MEDIA": "folder of this machine that the containers see as /media",
    "WEIGHTS_DIR": "folder of this machine that the containers see as /weights/local",
    "CAMERAS_DIR": "folder of this machine that the edge alone sees as /cameras, for a cameras file: SPLITDNN_CAMERAS=/cameras/cameras.toml",
    "SECRETS_DIR": "folder of this machine with the tokens of compose.tokens.yaml",
    "CLOUD_PORT": "the cloud's port on 127.0.0.1",
    "EDGE_PORT": "the port of the edge's page on 127.0.0.1, or a range of them, of which each edge takes one",
    "PROMETHEUS_PORT": "Prometheus' port on 127.0.0.1",
    "PROMETHEUS_URL": "where browsers reach Prometheus, without a path, for the links in its alerts; empty: http://127.0.0.1 with its port",
    "GRAFANA_PORT": "Grafana's port on 127.0.0.1",
    "GRAFANA_PASSWORD": "password of Grafana's `admin`, read at Grafana's first start; empty: a random one that is never shown "
    "(looking at the dashboards needs none)",
    "PROMETHEUS_IMAGE": "image that runs Prometheus, for a mirror or another release; one with a shell, so not `-distroless`",
    "GRAFANA_IMAGE": "image that runs Grafana, for a mirror or another release",
    "VERSION": "tag of the images built here",
    "TORCH_INDEX": "index of CPU builds of torch for the image that makes bundles, for a mirror where PyTorch's cannot be reached; `make` takes it "
    "from the shell only",
}
"""What compose.yaml and the Makefile read and no process does; the defaults stand in the files of Compose."""
FLEET_ONLY = {
    "BALANCER_PORT": "the balancer's port: on 127.0.0.1 with Compose, on every address of its node with Swarm",
    "BALANCER_IMAGE": "image that runs HAProxy 2.6 or newer, for a mirror or another release, as haproxy:2.6-bookworm; with `bash`, for its health",
    "BALANCER_NAMES": "names and addresses by which edges out of the swarm reach the balancer, with commas between, for its certificate",
    "CLOUD_REPLICAS": "clouds in the swarm",
    "CLOUD_CPUS": "cores that each of them may use; no more than its node has",
    "EDGE_REPLICAS": "edges in the swarm; those out of it are machines of their own",
    "EDGE_MODEL": "SPLITDNN_MODEL of the edges in the swarm",
    "REGISTRY": "where every node of a swarm finds the images, with a slash at its end; empty: they are built on the only node",
    "STACK": "name of the stack in the swarm",
}
"""The same of compose.balancer.yaml and deploy/swarm, where the defaults stand."""
FLEET_FILES = ("compose.balancer.yaml", "deploy/swarm/up", "deploy/swarm/stack.yaml")

START, END = "made by scripts/settings.py, checked by a test", "end of settings"
WIDTH = 118


def own_fields(side: str) -> dict[str, FieldInfo]:
    """Name -> field: those that the side alone has, and those it describes differently from CommonSettings."""
    common = CommonSettings.model_fields
    return {
        name: field
        for name, field in SIDES[side].model_fields.items()
        if side == "both" or name not in common or common[name].description != field.description
    }


def table() -> str:
    """The README's rows: settings of both sides first, then the edge's, then the cloud's."""
    lines = ["| variable | side | default | meaning |", "|---|---|---|---|"]
    for side in SIDES:
        for name, field in own_fields(side).items():
            default = "" if field.default is None else f"`{field.default}`"
            lines.append(f"| `{PREFIX}{name.upper()}` | {side} | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def known_names() -> list[str]:
    """Every name after the prefix, each once."""
    names = [name.upper() for settings in SIDES.values() for name in settings.model_fields]
    return list(dict.fromkeys([*names, *COMPOSE_ONLY, *FLEET_ONLY]))


def names_block() -> str:
    """The lines of KNOWN_NAMES in shared/process/settings.py."""
    names = " ".join(f'"{name}",' for name in known_names())
    return textwrap.fill(names, 126, initial_indent="    ", subsequent_indent="    ") + "\n"


def env_example() -> str:
    """The settings part of .env.example: each with its meaning and the default that holds in Compose."""
    defaults = _defaults_in("compose.tokens.yaml", "compose.yaml")
    of_fleets = _defaults_in(*FLEET_FILES)
    titles = {"both": "both sides", "edge": "the edge", "cloud": "the cloud"}
    parts: list[str] = []
    fixed: list[str] = []
    for side in SIDES:
        parts.append(f"# ---------------------------------------------------------------- {titles[side]}\n")
        for name, field in own_fields(side).items():
            key = name.upper()
            entry = _entry(key, field.description or "", defaults.get(key) or _shown(field.default))
            if key in FIXED:
                fixed.append(entry)
            elif side == "both" or name not in CommonSettings.model_fields:
                parts.append(entry)
            else:
                parts.append(_comment(f"{PREFIX}{key} on the {side}: {field.description}"))
    parts.append("# ---------------------------------------------------------------- Compose\n")
    parts += [_entry(name, text, defaults[name]) for name, text in COMPOSE_ONLY.items()]
    parts.append("# ---------------------------------------------------------------- several clouds\n")
    parts += [_entry(name, text, of_fleets[name]) for name, text in FLEET_ONLY.items()]
    parts.append("# ---------------------------------------------------------------- no use here\n")
    parts.append(_comment("compose.yaml sets these itself; they are for processes started by hand."))
    return "\n".join(parts + fixed)


def _defaults_in(*files: str) -> dict[str, str]:
    """Name after the prefix -> its default in these files; the last one counts."""
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in files)
    return dict(re.findall(rf"\$\{{{PREFIX}([A-Z_]+):?-((?:[^{{}}]|\{{[^{{}}]*\}})*)\}}", text))


def compose_block(side: str, raw: str) -> str:
    """The names that arrive in a side's container as they stand in the shell or in .env; `raw` is the file, which sets others itself."""
    indent = "  " if side == "both" else "      "
    by_hand = set(re.findall(rf"^{indent}({PREFIX}[A-Z_]+): \S", raw, flags=re.MULTILINE))
    names = [
        f"{PREFIX}{name.upper()}"
        for name in SIDES[side].model_fields
        if side == "both" or name not in CommonSettings.model_fields
    ]
    return "".join(f"{indent}{name}:\n" for name in names if name not in by_hand)


def replaced(text: str, block: str, marker: str = "") -> str:
    """`text` with what stands between its two marking lines replaced by `block`. Raises ValueError if they are missing."""
    pattern = re.compile(
        rf"(^[^\n]*{re.escape(START)}{re.escape(marker)}[^\n]*\n).*?(^[^\n]*{re.escape(END)}[^\n]*$)",
        re.MULTILINE | re.DOTALL,
    )
    if not pattern.search(text):
        raise ValueError(f"no lines {START + marker!r} and {END!r}")
    return pattern.sub(lambda found: found[1] + block + found[2], text, count=1)


def files() -> dict[Path, str]:
    """Path -> what it must hold."""
    services = {ROOT / name: _with_blocks(name) for name in ("compose.yaml", "deploy/swarm/stack.yaml")}
    blocks = {
        "README.md": table(),
        ".env.example": env_example(),
        "shared/process/settings.py": names_block(),
    }
    written = {ROOT / name: (ROOT / name).read_text(encoding="utf-8") for name in blocks}
    return {
        **services,
        **{path: replaced(text, blocks[str(path.relative_to(ROOT))]) for path, text in written.items()},
    }


def _with_blocks(name: str) -> str:
    """A file of services, with every side's names."""
    raw = text = (ROOT / name).read_text(encoding="utf-8")
    for side in SIDES:
        text = replaced(text, compose_block(side, raw), f": {side}")
    yaml.safe_load(text)
    return text


def _shown(default: object) -> str:
    """A default as it is written after the equals sign."""
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)


def _comment(text: str) -> str:
    return "\n".join(textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ")) + "\n"


def _entry(name: str, text: str, default: str) -> str:
    return f"{_comment(text)}#{PREFIX}{name}={default}\n"


def main() -> None:
    """Print the table, or write every file."""
    if sys.argv[1:] == ["--write"]:
        for path, text in files().items():
            path.write_text(text, encoding="utf-8")
    else:
        print(table(), end="")


if __name__ == "__main__":
    main()
