"""The rules of monitoring/prometheus/rules as the PrometheusRule of deploy/kubernetes, which kustomize cannot make of them.

`python scripts/prometheus_rule.py --write` writes the file anew; a test fails while it differs. Without a flag it is printed.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / "monitoring" / "prometheus" / "rules"
WRITTEN = ROOT / "deploy" / "kubernetes" / "components" / "monitoring" / "rules.yaml"
_HEAD = """\
# Made by scripts/prometheus_rule.py of monitoring/prometheus/rules, which explain them; checked by a test.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: splitdnn
spec:
  groups:
"""


def text() -> str:
    """What the file must hold."""
    return _HEAD + "".join(_groups(path) for path in sorted(RULES.glob("*.yml")))


def _groups(path: Path) -> str:
    """The groups of one file, further in; comments are left out, and so are the empty lines between rules.

    Raises ValueError where something else than groups stands in it.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if kept[:1] != ["groups:"] or any(not line.startswith(" ") for line in kept[1:]):
        raise ValueError(f"{path.name}: holds more than `groups:`")
    return "".join(f"  {line}\n" for line in kept[1:])


def main() -> None:
    """Print it, or write it."""
    if sys.argv[1:] == ["--write"]:
        WRITTEN.write_text(text(), encoding="utf-8")
    else:
        print(text(), end="")


if __name__ == "__main__":
    main()
