"""The autoscalers of deploy/kubernetes, read from the files that are applied there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from bench.harness.process import ROOT
from bench.load.autoscale.rule import Bounds, Direction, Policy

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = ROOT / "deploy" / "kubernetes" / "components"


@dataclass(frozen=True)
class Manifest:
    """One autoscaler."""

    name: str
    bounds: Bounds
    queue: float | None
    """Frames that may wait, a pod; None: not looked at."""
    cores: float | None
    """Cores that a pod may use."""
    totals: bool
    """Whether metrics are sums over all pods, as KEDA asks for them, or values of each."""


def hpa(cores: float) -> Manifest:
    """components/hpa, for pods that ask for so many cores."""
    spec = _read("hpa/autoscaler.yaml")
    targets = [next(each[kind] for kind in ("pods", "resource") if kind in each) for each in spec["metrics"]]
    [queue] = [each["target"]["averageValue"] for each in targets if "metric" in each]
    [percent] = [
        each["target"]["averageUtilization"] for each in targets if "averageUtilization" in each["target"]
    ]
    bounds = _bounds(spec["minReplicas"], spec["maxReplicas"], spec["behavior"])
    return Manifest("hpa", bounds, float(queue), cores * percent / 100, totals=False)


def keda() -> Manifest:
    """components/keda."""
    spec = _read("keda/scaledobject.yaml")
    thresholds = {each["name"]: float(each["metadata"]["threshold"]) for each in spec["triggers"]}
    bounds = _bounds(
        spec["minReplicaCount"],
        spec["maxReplicaCount"],
        spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"],
    )
    return Manifest("keda", bounds, thresholds["queue"], thresholds["cores"], totals=True)


def _read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))["spec"]


def _bounds(least: int, most: int, behavior: Mapping[str, Any]) -> Bounds:
    return Bounds(least, most, _direction(behavior["scaleUp"]), _direction(behavior["scaleDown"]))


def _direction(rules: Mapping[str, Any]) -> Direction:
    policies = tuple(
        Policy(each["type"], each["value"], float(each["periodSeconds"])) for each in rules["policies"]
    )
    return Direction(float(rules["stabilizationWindowSeconds"]), policies, rules["selectPolicy"])
