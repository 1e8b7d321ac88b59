"""Checks of what pods may do: Kubernetes' Pod Security level `restricted`, and what compose.yaml's containers keep to besides."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kits.common import ROOT
from kits.kubernetes.pods import UID, containers
from kits.kubernetes.rendered import label, of_kind, pod_of, workloads

if TYPE_CHECKING:
    from kits.kubernetes.rendered import Object

VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
"""Those that `restricted` allows."""
_HOST = ("hostNetwork", "hostPID", "hostIPC", "hostUsers")
_PROFILES = ("RuntimeDefault", "Localhost")


def check_restricted(objects: list[Object]) -> list[str]:
    """The level `restricted`, and our own: no account's token, no variables of Services, nothing to write to but volumes, the image's user."""
    problems = []
    for each in workloads(objects):
        pod, name = pod_of(each), label(each)
        security = pod.get("securityContext", {})
        problems += [f"{name}: {field}" for field in _HOST if field in pod]
        problems += [
            f"{name}: the volume {volume['name']} is of another kind: {sorted(set(volume) - {'name'})}"
            for volume in pod.get("volumes", [])
            if not set(volume) - {"name"} <= VOLUMES
        ]
        wanted = {"runAsNonRoot": True, "runAsUser": UID, "fsGroup": UID}
        problems += [
            f"{name}: {field} is not {value}"
            for field, value in wanted.items()
            if security.get(field) != value
        ]
        if security.get("seccompProfile", {}).get("type") not in _PROFILES:
            problems.append(f"{name}: no seccompProfile")
        problems += [
            f"{name}: {field} is not false"
            for field in ("automountServiceAccountToken", "enableServiceLinks")
            if pod.get(field) is not False
        ]
    for workload, container in containers(objects):
        problems += [f"{label(workload)}: {problem}" for problem in _container(container)]
    return problems


def _container(container: Object) -> list[str]:
    security = container.get("securityContext", {})
    problems = [
        f"{field} is not {value}"
        for field, value in (("allowPrivilegeEscalation", False), ("readOnlyRootFilesystem", True))
        if security.get(field) is not value
    ]
    problems += [f"{field} is set" for field in ("privileged", "procMount", "runAsUser") if field in security]
    if security.get("capabilities") != {"drop": ["ALL"]}:
        problems.append("capabilities other than `drop: [ALL]`")
    problems += [
        f"the host's port {port['hostPort']}" for port in container.get("ports", []) if "hostPort" in port
    ]
    return problems


def check_image_user(objects: list[Object]) -> list[str]:
    """The user is the image's, to whom its folders belong."""
    users = set(re.findall(r"^USER (\S+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE))
    return [
        f"{label(each)}: user {security.get('runAsUser')}, and the images have {users}"
        for each in workloads(objects)
        if (security := pod_of(each)["securityContext"])
        and users != {f"{security.get('runAsUser')}:{security.get('runAsGroup')}"}
    ]


def check_namespaces(objects: list[Object]) -> list[str]:
    """All is in one namespace, which is there, or is said to be needed, and asks for `restricted`; nothing is there twice."""
    problems, seen = [], set()
    for each in objects:
        where = each["metadata"].get("namespace")
        if each["kind"] == "Namespace":
            if each["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") != "restricted":
                problems.append(f"{label(each)}: does not ask for `restricted`")
        elif where != "splitdnn":
            problems.append(f"{label(each)}: in the namespace {where}")
        if label(each) in seen:
            problems.append(f"{label(each)}: there twice")
        seen.add(label(each))
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", each["metadata"]["name"]):
            problems.append(f"{label(each)}: no name for a DNS label")
    return problems


def check_secrets(objects: list[Object]) -> list[str]:
    """No secret's value is here: neither as an object, nor in a ConfigMap or a variable."""
    problems = [f"{label(each)}: holds a secret" for each in of_kind(objects, "Secret")]
    token = re.compile(r"sdn_[\w-]{20,}|-----BEGIN|rtsp://[^/\s]+:[^/\s]+@")
    problems += [
        f"{label(each)}: {key} holds what looks like a secret"
        for each in of_kind(objects, "ConfigMap")
        for key, value in each.get("data", {}).items()
        if token.search(value)
    ]
    return problems + [
        f"{label(workload)}: {each['name']} is a secret in a variable"
        for workload, container in containers(objects)
        for each in container.get("env", [])
        if "secretKeyRef" in each.get("valueFrom", {}) or token.search(each.get("value", ""))
    ]
