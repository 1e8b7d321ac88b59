"""The checks of deploy/kubernetes find what they are for: each broken manifest is good but for one thing."""

from __future__ import annotations

import copy
import inspect
from functools import cache

import pytest
from kits.kubernetes import checking
from kits.kubernetes.checking import CHECKS
from kits.kubernetes.rendered import everything, named, of_kind, pod_of, rendered


class Manifests:
    """All components at once, to be broken, with short ways to their parts."""

    def __init__(self, objects):
        self.objects = copy.deepcopy(objects)

    def object(self, kind, name):
        return named(self.objects, kind, name)

    def spec(self, kind, name):
        return self.object(kind, name)["spec"]

    def workload(self, name="splitdnn-cloud"):
        return self.object("Deployment", name)

    def pod(self, name="splitdnn-cloud"):
        return pod_of(self.workload(name))

    def container(self, name="splitdnn-cloud"):
        return self.pod(name)["containers"][0]

    def settings(self, name="splitdnn-cloud"):
        [found] = [
            each
            for each in of_kind(self.objects, "ConfigMap")
            if each["metadata"]["name"].startswith(f"{name}-")
        ]
        return found["data"]

    @property
    def hpa(self):
        return self.spec("HorizontalPodAutoscaler", "splitdnn-cloud")

    def policy(self, name):
        return self.spec("NetworkPolicy", name)


@cache
def keda():
    return rendered("overlays/keda")


def put(found, key, value):
    found[key] = value


BROKEN = {
    "check_autoscalers": [
        ("13 to 12 pods", lambda m: put(m.hpa, "minReplicas", 13)),
        ("0 to 12 pods", lambda m: put(m.hpa, "minReplicas", 0)),
        ("no Deployment splitdnn-clowd", lambda m: put(m.hpa["scaleTargetRef"], "name", "splitdnn-clowd")),
        ("says `replicas` too", lambda m: put(m.workload()["spec"], "replicas", 2)),
        ("several autoscalers", lambda m: m.objects.append(named(keda(), "ScaledObject", "splitdnn-cloud"))),
        ("balancer has 16 places", lambda m: put(m.hpa, "maxReplicas", 17)),
    ],
    "check_containers": [
        ("containers ['cloud', 'clout']", lambda m: m.pod()["containers"].append({"name": "clout"})),
    ],
    "check_end": [
        ("killed after 30 s, and may take 31", lambda m: put(m.pod(), "terminationGracePeriodSeconds", 30)),
        ("may take 111", lambda m: put(m.settings(), "SPLITDNN_DRAIN_S", "100")),
        ("refuses before the balancers know", lambda m: m.container().pop("lifecycle")),
    ],
    "check_image_user": [
        ("user 1000", lambda m: put(m.pod()["securityContext"], "runAsUser", 1000)),
    ],
    "check_images": [
        ("nobody builds splitdnn-cloud:latest", lambda m: put(m.container(), "image", "splitdnn-cloud:latest")),
        ("nobody builds splitdnn-clouds:0", lambda m: put(m.container(), "image", "splitdnn-clouds:0.15.0")),
    ],
    "check_metrics": [
        ("the adapter has 0 rules for splitdnn_cloud_queue", lambda m: put(m.hpa["metrics"][0]["pods"]["metric"], "name", "splitdnn_cloud_queue")),
        ("of which cloud asks for none", lambda m: m.container()["resources"]["requests"].pop("cpu")),
        ("is read by nobody", lambda m: put(m.hpa["metrics"][0], "type", "External")),
    ],
    "check_monitors": [
        ("finds no pods", lambda m: put(m.spec("PodMonitor", "splitdnn-cloud")["selector"]["matchLabels"], "app.kubernetes.io/name", "split")),
        ("no port metrics in Deployment/splitdnn-cloud", lambda m: put(m.spec("PodMonitor", "splitdnn-cloud")["podMetricsEndpoints"][0], "port", "metrics")),
        ("not called as its component", lambda m: m.spec("PodMonitor", "splitdnn-edge").pop("jobLabel")),
        ("may take 5s every 5s", lambda m: put(m.spec("PodMonitor", "splitdnn-edge")["podMetricsEndpoints"][0], "scrapeTimeout", "5s")),
    ],
    "check_mounts": [
        ("no volume cach", lambda m: put(m.container()["volumeMounts"][1], "name", "cach")),
        ("tmp is mounted nowhere", lambda m: m.container()["volumeMounts"].pop(0)),
        ("two volumes at one place", lambda m: put(m.container()["volumeMounts"][0], "mountPath", "/cache")),
        ("/secrets is a subPath", lambda m: put(m.container()["volumeMounts"][3], "subPath", "cloud.tokens")),
    ],
    "check_named": [
        ("no ConfigMap splitdnn-cloud", lambda m: put(m.container()["envFrom"][0]["configMapRef"], "name", "splitdnn-cloud")),
        ("no haproxy.conf in the ConfigMap", lambda m: put(m.pod("splitdnn-balancer")["volumes"][0]["configMap"]["items"][0], "key", "haproxy.conf")),
        ("no ServiceAccount splitdn", lambda m: put(m.pod(), "serviceAccountName", "splitdn")),
        ("no PersistentVolumeClaim bundles", lambda m: put(m.pod()["volumes"][2]["persistentVolumeClaim"], "claimName", "bundles")),
        ("splitdnn-other of the Secret splitdnn-other is explained nowhere", lambda m: put(m.pod()["volumes"][3]["secret"], "secretName", "splitdnn-other")),
        ("tokens.other of the Secret", lambda m: put(m.pod()["volumes"][3]["secret"]["items"][0], "key", "tokens.other")),
        ("prometheus.other of the Secret", lambda m: put(m.spec("PodMonitor", "splitdnn-cloud")["podMetricsEndpoints"][0]["authorization"]["credentials"], "key", "prometheus.other")),
    ],
    "check_namespaces": [
        ("in the namespace default", lambda m: put(m.workload()["metadata"], "namespace", "default")),
        ("in the namespace None", lambda m: m.workload()["metadata"].pop("namespace")),
        ("does not ask for `restricted`", lambda m: put(m.object("Namespace", "splitdnn")["metadata"]["labels"], "pod-security.kubernetes.io/enforce", "baseline")),
        ("there twice", lambda m: m.objects.append(m.workload())),
        ("no name for a DNS label", lambda m: put(m.workload()["metadata"], "name", "splitdnn_cloud")),
    ],
    "check_other_variables": [
        ("nothing reads TORCH_HOMES", lambda m: put(m.container(), "env", [{"name": "TORCH_HOMES", "value": "/x"}])),
        ("nothing reads CLOUDZ", lambda m: put(m.container("splitdnn-balancer")["env"][0], "name", "CLOUDZ")),
    ],
    "check_policies": [
        ("nothing denies", lambda m: m.objects.remove(m.object("NetworkPolicy", "default-deny"))),
        ("is for no pods", lambda m: put(m.policy("cloud")["podSelector"]["matchLabels"], "app.kubernetes.io/component", "clowd")),
        ("no such pods", lambda m: put(m.policy("cloud")["ingress"][0]["from"][0]["podSelector"]["matchExpressions"][0], "values", ["edges"])),
        ("no port https there", lambda m: put(m.policy("cloud")["ingress"][0]["ports"][0], "port", "https")),
        ("no port status there", lambda m: put(m.policy("balancer")["egress"][1]["ports"][0], "port", "status")),
        ("egress and policyTypes differ", lambda m: put(m.policy("edge"), "policyTypes", ["Ingress"])),
        ("with everybody, or at every port", lambda m: m.policy("cloud")["ingress"][0].pop("ports")),
        ("with everybody, or at every port", lambda m: m.policy("cloud")["ingress"][0].pop("from")),
    ],
    "check_probes": [
        ("no startupProbe", lambda m: m.container().pop("startupProbe")),
        ("nobody answers /ready", lambda m: put(m.container()["readinessProbe"]["httpGet"], "path", "/ready")),
        ("nobody answers /model", lambda m: put(m.container("splitdnn-edge")["readinessProbe"]["httpGet"], "path", "/model")),
        ("nobody answers /metrix", lambda m: put(m.container("splitdnn-balancer")["readinessProbe"]["httpGet"], "path", "/metrix")),
        ("asks a port 'https'", lambda m: put(m.container()["livenessProbe"]["httpGet"], "port", "https")),
        ("readiness and liveness ask", lambda m: put(m.container()["livenessProbe"]["httpGet"], "path", "/readyz")),
        ("waits less than 3 s", lambda m: m.container()["livenessProbe"].pop("timeoutSeconds")),
    ],
    "check_resources": [
        ("no limit of memory", lambda m: m.container()["resources"]["limits"].pop("memory")),
        ("asks for 5Gi of memory, and may have 4Gi", lambda m: put(m.container()["resources"]["requests"], "memory", "5Gi")),
        ("asks for 2500m of cpu, and may have 2", lambda m: put(m.container()["resources"]["requests"], "cpu", "2500m")),
    ],
    "check_restricted": [
        ("hostNetwork", lambda m: put(m.pod(), "hostNetwork", True)),
        ("is of another kind", lambda m: m.pod()["volumes"].append({"name": "host", "hostPath": {"path": "/"}})),
        ("runAsNonRoot is not True", lambda m: m.pod()["securityContext"].pop("runAsNonRoot")),
        ("no seccompProfile", lambda m: m.pod()["securityContext"].pop("seccompProfile")),
        ("enableServiceLinks is not false", lambda m: m.pod().pop("enableServiceLinks")),
        ("automountServiceAccountToken is not false", lambda m: m.pod().pop("automountServiceAccountToken")),
        ("allowPrivilegeEscalation is not False", lambda m: m.container()["securityContext"].pop("allowPrivilegeEscalation")),
        ("readOnlyRootFilesystem is not True", lambda m: m.container()["securityContext"].pop("readOnlyRootFilesystem")),
        ("privileged is set", lambda m: put(m.container()["securityContext"], "privileged", True)),
        ("capabilities other than", lambda m: put(m.container()["securityContext"]["capabilities"], "add", ["NET_BIND_SERVICE"])),
        ("the host's port 8881", lambda m: put(m.container()["ports"][0], "hostPort", 8881)),
    ],
    "check_rules": [
        ("nothing exports splitdnn_cloud_queue", lambda m: put(m.spec("PrometheusRule", "splitdnn")["groups"][0]["rules"][0], "expr", "splitdnn_cloud_queue > 1")),
        ("no job clouds", lambda m: put(m.spec("PrometheusRule", "splitdnn")["groups"][0]["rules"][0], "expr", 'up{job="clouds"} == 0')),
    ],
    "check_secrets": [
        ("holds a secret", lambda m: m.objects.append({"kind": "Secret", "metadata": {"name": "x"}})),
        ("SPLITDNN_MODEL holds what looks like a secret", lambda m: put(m.settings(), "SPLITDNN_MODEL", "sdn_" + "a" * 43)),
        ("cameras.toml holds what looks like a secret", lambda m: put(m.settings(), "cameras.toml", "source = 'rtsp://me:secret@10.0.0.4/1'")),
        ("is a secret in a variable", lambda m: put(m.container(), "env", [{"name": "T", "valueFrom": {"secretKeyRef": {}}}])),
    ],
    "check_selectors": [
        ("does not find its own pods", lambda m: put(m.workload()["spec"]["selector"]["matchLabels"], "app.kubernetes.io/name", "split")),
        ("does not find its own pods", lambda m: put(m.workload()["spec"], "selector", {})),
        ("PodDisruptionBudget/splitdnn-cloud: is about []", lambda m: put(m.spec("PodDisruptionBudget", "splitdnn-cloud")["selector"]["matchLabels"], "app.kubernetes.io/component", "clowd")),
        ("does not find its own pods", lambda m: put(m.pod()["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"], "app.kubernetes.io/component", "edge")),
    ],
    "check_services": [
        ("leads to []", lambda m: put(m.spec("Service", "splitdnn-clouds")["selector"], "app.kubernetes.io/component", "clouds")),
        ("leads to ['Deployment/", lambda m: m.spec("Service", "splitdnn-clouds")["selector"].pop("app.kubernetes.io/component")),
        ("leads to 'https'", lambda m: put(m.spec("Service", "splitdnn-clouds")["ports"][0], "targetPort", "https")),
        ("the port http leads to 'http'", lambda m: put(m.container()["ports"][0], "containerPort", 8882)),
    ],
    "check_settings": [
        ("no setting SPLITDNN_QUEUE_SIZE", lambda m: put(m.settings(), "SPLITDNN_QUEUE_SIZE", "8")),
        ("greater than or equal to 1", lambda m: put(m.settings(), "SPLITDNN_QUEUE_CAPACITY", "0")),
        ("/caches is not mounted", lambda m: put(m.settings(), "SPLITDNN_CACHE_DIR", "/caches")),
        ("/bundles/cache is mounted read-only", lambda m: put(m.settings(), "SPLITDNN_CACHE_DIR", "/bundles/cache")),
        ("is none of the files in /secrets", lambda m: put(m.settings(), "SPLITDNN_TOKEN_FILE", "/secrets/tokens")),
        ("is told nothing", lambda m: m.container().pop("envFrom")),
        ("is for nobody", lambda m: m.container("splitdnn-balancer")["env"].append({"name": "SPLITDNN_PORT", "value": "1"})),
    ],
    "check_values": [
        ("'4GB' is no quantity", lambda m: put(m.container()["resources"]["limits"], "memory", "4GB")),
        ("'1gi' is no quantity", lambda m: put(m.pod()["volumes"][1]["emptyDir"], "sizeLimit", "1gi")),
        ("'eight' is no quantity", lambda m: put(m.hpa["metrics"][0]["pods"]["target"], "averageValue", "eight")),
        ("protocol is 'tcp'", lambda m: put(m.container()["ports"][0], "protocol", "tcp")),
        ("selectPolicy is 'Most'", lambda m: put(m.hpa["behavior"]["scaleUp"], "selectPolicy", "Most")),
        ("policies.type is 'Share'", lambda m: put(m.hpa["behavior"]["scaleUp"]["policies"][0], "type", "Share")),
        ("strategy.type is 'Rolling'", lambda m: put(m.workload()["spec"]["strategy"], "type", "Rolling")),
        ("seccompProfile.type is 'Runtime'", lambda m: put(m.pod()["securityContext"]["seccompProfile"], "type", "Runtime")),
        ("policyTypes is ['ingress']", lambda m: put(m.policy("cloud"), "policyTypes", ["ingress"])),
    ],
}  # fmt: skip


def test_every_check_has_a_manifest_that_it_refuses():
    made = {
        name for name, found in inspect.getmembers(checking) if name.startswith("check_") and callable(found)
    }
    assert {check.__name__ for check in CHECKS} == made == BROKEN.keys()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_broken_manifest_is_found(check):
    assert check(Manifests(everything()).objects) == [], "as it stands"
    for said, breaks in BROKEN[check.__name__]:
        manifests = Manifests(everything())
        breaks(manifests)
        problems = check(manifests.objects)
        assert any(said in problem for problem in problems), (said, problems)
