"""Checks of what runs in pods, which no schema makes. Each returns what is wrong, a line for each problem."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kits.common import ROOT
from kits.compose import compose
from kits.kubernetes.rendered import component_of, label, labels_of, of_kind, pod_of, selects, workloads

from cloud.config import CloudSettings
from edge.config import EdgeSettings
from shared.process.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kits.kubernetes.rendered import Object

SETTINGS = {"cloud": CloudSettings, "edge": EdgeSettings}
UID = 10001
TO_END_S = 6
"""What a cloud of several workers takes beyond its drain."""
_WRITTEN = {"CACHE_DIR", "RESULTS"}
_READ = {
    "TOKEN_FILE",
    "CLOUD_TOKEN_FILE",
    "SIBLINGS_TOKEN_FILE",
    "SIBLINGS_CA",
    "CAMERAS",
    "MODEL",
    "CERTIFICATE",
    "KEY",
    "CA",
}


def containers(objects: list[Object]) -> Iterator[tuple[Object, Object]]:
    """Every container with what makes its pods."""
    for workload in workloads(objects):
        for container in [*pod_of(workload)["containers"], *pod_of(workload).get("initContainers", [])]:
            yield workload, container


def environment(objects: list[Object], container: Object) -> dict[str, str]:
    """What a container is told, from the ConfigMaps that are there; its own variables win."""
    maps = {each["metadata"]["name"]: each.get("data", {}) for each in of_kind(objects, "ConfigMap")}
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= maps.get(source["configMapRef"]["name"], {})
    return found | {each["name"]: each.get("value", "") for each in container.get("env", [])}


def check_containers(objects: list[Object]) -> list[str]:
    """One in each pod, named as its component: a patch for a misspelt name would add another."""
    return [
        f"{label(each)}: containers {names}, and the component is {component_of(each)}"
        for each in workloads(objects)
        if (names := [container["name"] for container in pod_of(each)["containers"]]) != [component_of(each)]
    ]


def check_selectors(objects: list[Object]) -> list[str]:
    """What makes pods finds them again, and spreads them among themselves; a disruption budget is about one kind of them."""
    problems = []
    for each in workloads(objects):
        spreads = pod_of(each).get("topologySpreadConstraints", [])
        selectors = [each["spec"]["selector"]] if each["kind"] == "Deployment" else []
        for selector in selectors + [spread["labelSelector"] for spread in spreads]:
            if not selector.get("matchLabels") or not selects(selector, labels_of(each)):
                problems.append(f"{label(each)}: the selector {selector} does not find its own pods")
    for budget in of_kind(objects, "PodDisruptionBudget"):
        found = [
            label(each) for each in workloads(objects) if selects(budget["spec"]["selector"], labels_of(each))
        ]
        if len(found) != 1:
            problems.append(f"{label(budget)}: is about {found}")
    return problems


def check_mounts(objects: list[Object]) -> list[str]:
    """Volumes and mounts are the same ones, each at a place of its own, and no Secret or ConfigMap is mounted so that it could not change."""
    problems = []
    for workload, container in containers(objects):
        volumes = {each["name"]: each for each in pod_of(workload).get("volumes", [])}
        mounts = container.get("volumeMounts", [])
        used, places = {each["name"] for each in mounts}, [each["mountPath"] for each in mounts]
        problems += [f"{label(workload)}: no volume {name}" for name in sorted(used - volumes.keys())]
        problems += [
            f"{label(workload)}: the volume {name} is mounted nowhere"
            for name in sorted(volumes.keys() - used)
        ]
        if len(set(places)) != len(places):
            problems.append(f"{label(workload)}: two volumes at one place: {places}")
        problems += [
            f"{label(workload)}: {each['mountPath']} is a subPath" for each in mounts if "subPath" in each
        ]
    return problems


def check_settings(objects: list[Object]) -> list[str]:
    """Variables are settings of the process, with values that it takes, and the files in them are mounted."""
    problems = []
    for workload, container in containers(objects):
        given = environment(objects, container)
        ours = {name.removeprefix(PREFIX): value for name, value in given.items() if name.startswith(PREFIX)}
        settings = SETTINGS.get(component_of(workload))
        if settings is None:
            problems += [f"{label(workload)}: {PREFIX}{name} is for nobody" for name in ours]
            continue
        unknown = {name for name in ours if name.lower() not in settings.model_fields}
        problems += [f"{label(workload)}: no setting {PREFIX}{name}" for name in sorted(unknown)]
        known = {name.lower(): value for name, value in ours.items() if name not in unknown}
        try:
            settings(**known)  # type: ignore[arg-type]
        except ValueError as error:
            problems.append(f"{label(workload)}: {error}")
        problems += [
            f"{label(workload)}: {PREFIX}{name}: {problem}"
            for name in sorted((_WRITTEN | _READ) & ours.keys())
            if (problem := _misplaced(workload, container, ours[name], written=name in _WRITTEN))
        ]
        if not ours:
            problems.append(f"{label(workload)}: is told nothing")
    return problems


def _misplaced(workload: Object, container: Object, path: str, *, written: bool) -> str | None:
    if not path.startswith("/"):
        return None  # a name
    mounts = [each for each in container["volumeMounts"] if f"{path}/".startswith(f"{each['mountPath']}/")]
    if not mounts:
        return f"{path} is not mounted"
    mount = max(mounts, key=lambda each: len(each["mountPath"]))
    if written and mount.get("readOnly"):
        return f"{path} is mounted read-only"
    [volume] = [each for each in pod_of(workload)["volumes"] if each["name"] == mount["name"]]
    items = volume.get("secret", volume.get("configMap", {})).get("items")
    if items is not None and path not in {f"{mount['mountPath']}/{item['path']}" for item in items}:
        return f"{path} is none of the files in {mount['mountPath']}"
    return None


def check_other_variables(objects: list[Object]) -> list[str]:
    """What is no setting is read by a library, and then the image sets it too, or by HAProxy's file."""
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    haproxy = (ROOT / "deploy/balancer/haproxy.cfg").read_text(encoding="utf-8")
    problems = []
    for workload, container in containers(objects):
        text = haproxy if component_of(workload) == "balancer" else dockerfile
        problems += [
            f"{label(workload)}: nothing reads {name}"
            for name in environment(objects, container)
            if not name.startswith(PREFIX) and not re.search(rf"(?:^|[\s{{(]){name}\b", text, re.MULTILINE)
        ]
    return problems


def check_images(objects: list[Object]) -> list[str]:
    """The names and versions are those that the files of Compose build."""
    built = {
        _default(service["image"])
        for file in ("compose.yaml", "compose.gpu.yaml", "compose.balancer.yaml")
        for service in compose(file)["services"].values()
        if "image" in service
    }
    return [
        f"{label(workload)}: nobody builds {container['image']}"
        for workload, container in containers(objects)
        if container["image"] not in built
    ]


def _default(image: Any) -> str:
    """The name with the defaults of its variables."""
    return re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", str(image))


def check_end(objects: list[Object]) -> list[str]:
    """A pod is given longer to end than it takes: the pause before, the drain, the workers' end."""
    problems = []
    for workload, container in containers(objects):
        if component_of(workload) != "cloud":
            continue
        pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        drain = float(
            environment(objects, container).get(
                f"{PREFIX}DRAIN_S", CloudSettings.model_fields["drain_s"].default
            )
        )
        grace, needed = pod_of(workload).get("terminationGracePeriodSeconds", 30), pause + drain + TO_END_S
        if grace <= needed:
            problems.append(f"{label(workload)}: killed after {grace} s, and may take {needed:g}")
        if pause < 1:
            problems.append(f"{label(workload)}: refuses before the balancers know that it ends")
    return problems
