"""Checks of values that a schema takes for any text: quantities and words out of a list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kits.kubernetes.pods import containers
from kits.kubernetes.rendered import label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kits.kubernetes.rendered import Object

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|)")
_BINARY = {f"{letter}i": 1024 ** (power + 1) for power, letter in enumerate("KMGTPE")}
_DECIMAL = {letter: 1000 ** (power + 1) for power, letter in enumerate("kMGTPE")}
_FACTORS = {"": 1.0, "m": 0.001, **_BINARY, **_DECIMAL}
QUANTITIES = {"cpu", "memory", "ephemeral-storage", "storage", "nvidia.com/gpu", "sizeLimit", "averageValue"}
"""Fields that hold one."""
WORDS = {
    "protocol": {"TCP", "UDP", "SCTP"},
    "imagePullPolicy": {"Always", "IfNotPresent", "Never"},
    "restartPolicy": {"Always", "OnFailure", "Never"},
    "whenUnsatisfiable": {"DoNotSchedule", "ScheduleAnyway"},
    "fsGroupChangePolicy": {"OnRootMismatch", "Always"},
    "unhealthyPodEvictionPolicy": {"IfHealthyBudget", "AlwaysAllow"},
    "selectPolicy": {"Max", "Min", "Disabled"},
    "medium": {"", "Memory", "HugePages"},
    "effect": {"NoSchedule", "PreferNoSchedule", "NoExecute"},
    "scheme": {"HTTP", "HTTPS", "http", "https"},
    "topologyKey": {"kubernetes.io/hostname", "topology.kubernetes.io/zone"},
    "operator": {"In", "NotIn", "Exists", "DoesNotExist"},
    "appProtocol": {"http", "https"},
}
"""Field -> what it may hold."""
LISTS = {
    "policyTypes": {"Ingress", "Egress"},
    "accessModes": {"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"},
    "drop": {"ALL"},
}
TYPES = {
    "strategy": {"RollingUpdate", "Recreate"},
    "seccompProfile": {"RuntimeDefault", "Localhost"},
    "policies": {"Pods", "Percent"},
    "target": {"Utilization", "AverageValue", "Value"},
    "metrics": {"Pods", "Resource", "Object", "External", "ContainerResource"},
}
"""What holds a field `type` -> what that may be."""


def quantity(text: str) -> float:
    """A quantity as a number. Raises ValueError for what is none."""
    found = _QUANTITY.fullmatch(str(text))
    if not found:
        raise ValueError(f"{text!r} is no quantity")
    return float(found[1]) * _FACTORS[found[2]]


def check_values(objects: list[Object]) -> list[str]:
    """Every quantity can be read, and every word is one of those that the API server takes."""
    problems = []
    for each in objects:
        if each["kind"] in ("ConfigMap", "PrometheusRule"):
            continue
        for parent, key, value in _fields(each, each["kind"]):
            if key in QUANTITIES and not isinstance(value, dict):
                try:
                    quantity(value)
                except ValueError as error:
                    problems.append(f"{label(each)}: {key}: {error}")
            accepted = TYPES.get(parent) if key == "type" else WORDS.get(key)
            if accepted and not isinstance(value, dict | list) and value not in accepted:
                problems.append(f"{label(each)}: {parent}.{key} is {value!r}; accepted: {sorted(accepted)}")
            if key in LISTS and not set(value) <= LISTS[key]:
                problems.append(f"{label(each)}: {key} is {value}; accepted: {sorted(LISTS[key])}")
    return problems


def _fields(node: Any, parent: str) -> Iterator[tuple[str, str, Any]]:
    """(field that holds it, field, value) of everything below."""
    if isinstance(node, list):
        for each in node:
            yield from _fields(each, parent)
    elif isinstance(node, dict):
        for key, value in node.items():
            yield parent, key, value
            yield from _fields(value, key)


def check_resources(objects: list[Object]) -> list[str]:
    """Every container asks for processor, memory and disk, and has limits of them, which are no smaller."""
    problems = []
    for workload, container in containers(objects):
        resources = container.get("resources", {})
        requests, limits = resources.get("requests", {}), resources.get("limits", {})
        for name in ("cpu", "memory", "ephemeral-storage"):
            if name not in requests or name not in limits:
                problems.append(f"{label(workload)}: no request or no limit of {name}")
        problems += [
            f"{label(workload)}: asks for {requests[name]} of {name}, and may have {limits[name]}"
            for name in requests.keys() & limits.keys()
            if quantity(requests[name]) > quantity(limits[name])
        ]
    return problems
