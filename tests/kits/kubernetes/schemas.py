"""Objects against schemas that know every field: those of Kubernetes' releases, and ours of the custom resources.

kubernetes-validate is asked by its function: on the command line it lets pass, with a warning, what has no schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema
import kubernetes_validate
from kits.kubernetes.rendered import label

if TYPE_CHECKING:
    from kits.kubernetes.rendered import Object

RELEASES = ("1.31", "1.34", "1.37")
"""The oldest that docs/kubernetes.md names, one between, and the newest with a schema."""
_DURATION = r"^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$"
_TEXT, _WHOLE, _FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
_TEXTS = {"type": "object", "additionalProperties": _TEXT}


def _closed(required: str = "", **properties: Any) -> dict[str, Any]:
    """An object of these fields, and of no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": required.split(),
    }


def _list(items: Any, least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least}


def _one(*values: str) -> dict[str, Any]:
    return {"enum": list(values)}


def _resource(spec: Any) -> dict[str, Any]:
    metadata = _closed("name", name=_TEXT, namespace=_TEXT, labels=_TEXTS, annotations=_TEXTS)
    return _closed(
        "apiVersion kind metadata spec", apiVersion=_TEXT, kind=_TEXT, metadata=metadata, spec=spec
    )


_SELECTOR = _closed(
    matchLabels=_TEXTS,
    matchExpressions=_list(_closed("key operator", key=_TEXT, operator=_TEXT, values=_list(_TEXT))),
)
_KEY = _closed("name key", name=_TEXT, key=_TEXT, optional=_FLAG)
_POD_MONITOR = _closed(
    "selector podMetricsEndpoints",
    jobLabel=_TEXT, podTargetLabels=_list(_TEXT), selector=_SELECTOR, sampleLimit=_WHOLE,
    namespaceSelector=_closed(any=_FLAG, matchNames=_list(_TEXT)),
    podMetricsEndpoints=_list(
        _closed(
            "port",
            port=_TEXT, path=_TEXT, scheme=_one("http", "https"), honorLabels=_FLAG, filterRunning=_FLAG,
            interval={"type": "string", "pattern": _DURATION}, scrapeTimeout={"type": "string", "pattern": _DURATION},
            authorization=_closed("credentials", type=_TEXT, credentials=_KEY),
            tlsConfig=_closed("ca", serverName=_TEXT, ca=_closed("secret", secret=_KEY)),
        ),
        1,
    ),
)  # fmt: skip
_RULE = _closed(
    "expr",
    alert=_TEXT, record=_TEXT, expr=_TEXT, labels=_TEXTS, annotations=_TEXTS,
    **{name: {"type": "string", "pattern": _DURATION} for name in ("for", "keep_firing_for")},
)  # fmt: skip
_RULES = _closed(
    "groups",
    groups=_list(
        _closed("name rules", name=_TEXT, interval={"type": "string", "pattern": _DURATION}, rules=_list(_RULE))
    ),
)  # fmt: skip
_SCALING = _closed(
    stabilizationWindowSeconds={"type": "integer", "minimum": 0, "maximum": 3600},
    selectPolicy=_one("Max", "Min", "Disabled"),
    policies=_list(
        _closed(
            "type value periodSeconds",
            type=_one("Pods", "Percent"), value={"type": "integer", "minimum": 1},
            periodSeconds={"type": "integer", "minimum": 1, "maximum": 1800},
        ),
        1,
    ),
)  # fmt: skip
_PROMETHEUS = _closed(
    "serverAddress query threshold",
    serverAddress={"type": "string", "pattern": "^https?://"}, query=_TEXT, threshold={"type": "string", "pattern": r"^[0-9.]+$"},
    activationThreshold=_TEXT, ignoreNullValues=_one("true", "false"), unsafeSsl=_one("true", "false"), timeout=_TEXT, authModes=_TEXT,
)  # fmt: skip
_COUNT = {"type": "integer", "minimum": 0}
_SCALED_OBJECT = _closed(
    "scaleTargetRef triggers",
    scaleTargetRef=_closed("name", name=_TEXT, kind=_TEXT, apiVersion=_TEXT),
    pollingInterval=_COUNT, cooldownPeriod=_COUNT, minReplicaCount=_COUNT, maxReplicaCount=_COUNT,
    fallback=_closed(
        "failureThreshold replicas",
        failureThreshold=_COUNT, replicas=_COUNT,
        behavior=_one("static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"),
    ),
    advanced=_closed(
        restoreToOriginalReplicaCount=_FLAG,
        horizontalPodAutoscalerConfig=_closed(name=_TEXT, behavior=_closed(scaleUp=_SCALING, scaleDown=_SCALING)),
    ),
    triggers=_list(
        _closed(
            "type metadata",
            type=_one("prometheus"), name=_TEXT, metricType=_one("AverageValue", "Value"), metadata=_PROMETHEUS,
            authenticationRef=_closed("name", name=_TEXT, kind=_TEXT),
        ),
        1,
    ),
)  # fmt: skip
CUSTOM = {
    ("monitoring.coreos.com/v1", "PodMonitor"): _resource(_POD_MONITOR),
    ("monitoring.coreos.com/v1", "PrometheusRule"): _resource(_RULES),
    ("keda.sh/v1alpha1", "ScaledObject"): _resource(_SCALED_OBJECT),
}
"""Written from the reference of the Prometheus operator 0.82 and of KEDA 2.17, with the fields that may be used here and no others: a
field that is not in them is a question to whoever adds it."""


def schema_problems(found: Object, release: str) -> list[str]:
    """What the schema of this release says against an object. One without a schema is a problem too."""
    custom = CUSTOM.get((found["apiVersion"], found["kind"]))
    if custom:
        errors = jsonschema.Draft202012Validator(custom).iter_errors(found)
        return [f"{label(found)}: {error.json_path}: {error.message}" for error in errors]
    try:
        kubernetes_validate.validate(found, release, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{label(found)} in {release}: {error.json_path}: {error.message}"]
    except kubernetes_validate.SchemaNotFoundError as error:
        return [f"{label(found)}: {error.message}"]
    return []
