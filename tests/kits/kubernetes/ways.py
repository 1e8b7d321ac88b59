"""Checks of how one thing finds another: Services, probes, policies, and what is named elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

from kits.common import ROOT
from kits.kubernetes.pods import containers
from kits.kubernetes.rendered import (
    component_of,
    everything,
    label,
    labels_of,
    of_kind,
    pod_of,
    ports_of,
    rendered,
    selects,
    workloads,
)

from cloud.http.app import make_app

if TYPE_CHECKING:
    from kits.kubernetes.rendered import Object


def _paths(component: str) -> Any:
    """Whether a component answers a path."""
    if component == "cloud":
        rules = make_app(Mock()).default_router.rules[0].target.rules
        return lambda path: any(rule.matcher.regex.match(path) for rule in rules)
    if component == "edge":
        status = (ROOT / "edge/output/status.py").read_text(encoding="utf-8")
        return lambda path: f'("{path}", _' in status
    text = (ROOT / "deploy/balancer/haproxy.cfg").read_text(encoding="utf-8")
    return lambda path: f"monitor-uri {path}\n" in text or f"path {path} }}" in text


def check_probes(objects: list[Object]) -> list[str]:
    """What serves has all three, at a port of its own by name, at a path that it answers; readiness is not liveness."""
    problems = []
    for workload, container in containers(objects):
        if workload["kind"] == "Job":
            continue
        answers, paths = _paths(component_of(workload)), {}
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            probe = container.get(kind)
            if probe is None:
                problems.append(f"{label(workload)}: no {kind}")
                continue
            get = probe["httpGet"]
            paths[kind] = get["path"]
            if get["port"] not in ports_of(workload):
                problems.append(f"{label(workload)}: {kind} asks a port {get['port']!r} that is not there")
            if not answers(get["path"]):
                problems.append(f"{label(workload)}: {kind}: nobody answers {get['path']}")
            if probe.get("timeoutSeconds", 1) < 3:
                problems.append(f"{label(workload)}: {kind} waits less than 3 s, as on a busy node")
        if paths.get("readinessProbe") != "/readyz" or paths.get("livenessProbe") != "/healthz":
            problems.append(f"{label(workload)}: readiness and liveness ask {paths}")
    return problems


def check_services(objects: list[Object]) -> list[str]:
    """A Service leads to pods that are there, and its ports to theirs by name, with the same number."""
    problems = []
    for service in of_kind(objects, "Service"):
        found = [
            each
            for each in workloads(objects)
            if selects({"matchLabels": service["spec"]["selector"]}, labels_of(each))
        ]
        if len(found) != 1:
            problems.append(f"{label(service)}: leads to {[label(each) for each in found]}")
        for port in service["spec"]["ports"]:
            for each in found:
                target = port.get("targetPort", port["port"])
                if ports_of(each).get(target) != port["port"]:
                    problems.append(
                        f"{label(service)}: the port {port['name']} leads to {target!r} of {label(each)}, which has {ports_of(each)}"
                    )
    return problems


def check_named(objects: list[Object]) -> list[str]:
    """ConfigMaps, with their keys, accounts, claims and targets that are named are there; Secrets are explained, with their keys."""
    there = {label(each): each for each in [*objects, *rendered("bundle")]}
    guide = (ROOT / "docs/kubernetes.md").read_text(encoding="utf-8")
    problems = []

    def want(who: Object, kind: str, name: str, keys: set[str] = frozenset()) -> None:  # type: ignore[assignment]
        if kind == "Secret":
            missing = [word for word in (name, *sorted(keys)) if word not in guide]
            problems.extend(
                f"{label(who)}: {word} of the Secret {name} is explained nowhere" for word in missing
            )
            return
        found = there.get(f"{kind}/{name}")
        if found is None:
            problems.append(f"{label(who)}: no {kind} {name}")
        else:
            lacking = sorted(keys - found.get("data", {}).keys())
            problems.extend(f"{label(who)}: no {key} in the {kind} {name}" for key in lacking)

    for each in workloads(objects):
        pod = pod_of(each)
        if "serviceAccountName" in pod:
            want(each, "ServiceAccount", pod["serviceAccountName"])
        for volume in pod.get("volumes", []):
            if "secret" in volume:
                want(
                    each,
                    "Secret",
                    volume["secret"]["secretName"],
                    {item["key"] for item in volume["secret"].get("items", [])},
                )
            if "configMap" in volume:
                want(
                    each,
                    "ConfigMap",
                    volume["configMap"]["name"],
                    {item["key"] for item in volume["configMap"].get("items", [])},
                )
            if "persistentVolumeClaim" in volume:
                want(each, "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
    for each, container in containers(objects):
        for source in container.get("envFrom", []):
            want(each, "ConfigMap", source["configMapRef"]["name"])
    for each in of_kind(objects, "PodMonitor"):
        for endpoint in each["spec"]["podMetricsEndpoints"]:
            if "authorization" in endpoint:
                credentials = endpoint["authorization"]["credentials"]
                want(each, "Secret", credentials["name"], {credentials["key"]})
            if "tlsConfig" in endpoint:
                authority = endpoint["tlsConfig"]["ca"]["secret"]
                want(each, "Secret", authority["name"], {authority["key"]})
    return problems


def check_policies(objects: list[Object]) -> list[str]:
    """All is denied first; each policy is for pods that may be here, from or to such, at ports that they have."""
    if not of_kind(objects, "NetworkPolicy"):
        return []
    policies = of_kind(objects, "NetworkPolicy")
    problems = []
    denying = [
        each for each in policies if each["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ]
    if of_kind(objects, "Namespace") and len(denying) != 1:
        problems.append("nothing denies what no policy allows")
    for policy in policies:
        spec = policy["spec"]
        if policy in denying:
            continue
        own = _ports(objects, spec["podSelector"])
        if own is None:
            problems.append(f"{label(policy)}: is for no pods: {spec['podSelector']}")
            continue
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            if (direction in spec) != (direction.title() in spec["policyTypes"]):
                problems.append(f"{label(policy)}: {direction} and policyTypes differ")
            for rule in spec.get(direction, []):
                if not rule.get(peers) or not rule.get("ports"):
                    problems.append(f"{label(policy)}: {direction} with everybody, or at every port")
                problems += _rule_problems(objects, policy, rule, peers, own)
    return problems


def _rule_problems(
    objects: list[Object], policy: Object, rule: Object, peers: str, own: set[str]
) -> list[str]:
    problems = []
    theirs: set[str] = set()
    for peer in rule.get(peers, []):
        if "podSelector" in peer and "namespaceSelector" not in peer:
            ports = _ports(objects, peer["podSelector"])
            if ports is None:
                problems.append(f"{label(policy)}: no such pods: {peer['podSelector']}")
            theirs |= ports or set()
    at = own if peers == "from" else theirs
    return problems + [
        f"{label(policy)}: no port {port['port']} there; there are {sorted(at)}"
        for port in rule.get("ports", [])
        if isinstance(port["port"], str) and port["port"] not in at
    ]


def _ports(objects: list[Object], selector: Object) -> set[str] | None:
    """The names of the ports of the pods that are selected, or that could be applied too; None if there are no such pods."""
    here = workloads(objects)
    components = {component_of(each) for each in here}
    known = [*here, *(each for each in workloads(everything()) if component_of(each) not in components)]
    found = [each for each in known if selects(selector, labels_of(each))]
    named = {value for rule in selector.get("matchExpressions", []) for value in rule.get("values", [])}
    if not found or not named <= {component_of(each) for each in known}:
        return None
    return {name for each in found for name in ports_of(each)}
