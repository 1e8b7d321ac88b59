"""All checks of rendered objects, beside those by schemas."""

from __future__ import annotations

from kits.kubernetes.pods import (
    check_containers,
    check_end,
    check_images,
    check_mounts,
    check_other_variables,
    check_selectors,
    check_settings,
)
from kits.kubernetes.rights import check_image_user, check_namespaces, check_restricted, check_secrets
from kits.kubernetes.scaling import check_autoscalers, check_metrics, check_monitors, check_rules
from kits.kubernetes.values import check_resources, check_values
from kits.kubernetes.ways import check_named, check_policies, check_probes, check_services

CHECKS = (
    check_autoscalers,
    check_containers,
    check_end,
    check_image_user,
    check_images,
    check_metrics,
    check_monitors,
    check_mounts,
    check_named,
    check_namespaces,
    check_other_variables,
    check_policies,
    check_probes,
    check_resources,
    check_restricted,
    check_rules,
    check_secrets,
    check_selectors,
    check_services,
    check_settings,
    check_values,
)
