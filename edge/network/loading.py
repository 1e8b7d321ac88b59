"""From what the settings name to a network that is compiled for this edge, with the plans that frames may take."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.planning.choices import make_plans
from edge.uplink.agreed_weights import agreed_weights
from shared.codecs.calibrated.codec import Calibrated
from shared.errors import ModelError
from shared.load import load_network
from shared.network.bundle import MANIFEST, read_manifest
from shared.observing.telemetry import export_build_info
from shared.process.memory import give_back

if TYPE_CHECKING:
    from edge.config import EdgeSettings
    from edge.metrics import EdgeMetrics
    from edge.planning.plan import Plan
    from shared.load import Network
    from shared.network.model import Model

_log = logging.getLogger(__name__)

_AUTO_S = 20.0
"""For weights that the user did not ask for by name."""
_NAMED_S = 900.0


@dataclass(frozen=True, eq=False)
class Loaded:
    """A network that is ready for frames. Its engine is gone: the plans hold what was compiled."""

    model: Model
    plans: list[Plan]
    digest: str
    """SHA-256 that its bundle's manifest states of itself."""
    engine: dict[str, str]
    """Device, engine and precision."""

    @property
    def sends_pictures(self) -> bool:
        """Whether every frame travels as a picture."""
        codec = self.plans[0].codec if len(self.plans) == 1 else None
        return codec is not None and codec.carries == "picture"

    def describe_plans(self) -> str:
        """For the log: the plan, or how many the planner may choose from."""
        first, count = self.plans[0], len(self.plans)
        return f"{first.split_point.name} {first.label}" if count == 1 else f"one of {count} plans"

    def export_build_info(self, metrics: EdgeMetrics) -> None:
        """Say in `splitdnn_build_info` that this is the network in force."""
        export_build_info(
            metrics.registry,
            "edge",
            model=self.model.name,
            weights=self.model.weights,
            fingerprint=self.model.fingerprint.hex(),
            **self.engine,
        )


def load(
    settings: EdgeSettings, threads: int, metrics: EdgeMetrics, *, beside_frames: bool = False
) -> Loaded:
    """Load, compile and plan; takes long. Raises StartupError or SplitPointError.

    `beside_frames`: frames are running, so that measurements of this machine hold for now only.
    """
    weights, seed = agreed_weights(settings.cloud_url, settings.model, settings.weights, settings.seed)
    # A user who left the choice open does not wait long for the weights that the cloud chose.
    patience_s = _AUTO_S if settings.weights == "auto" else _NAMED_S
    network = load_network(
        settings, metrics, "head", weights=weights, seed=seed, patience_s=patience_s, threads=threads
    )
    plans = make_plans(settings, network, beside_frames=beside_frames)
    if settings.profile and not any(plan.profile for plan in plans):
        _log.warning("--profile changes nothing: only --codec %s uses one", Calibrated.name)
    _require_unchanged(network)
    engine = network.engine
    loaded = Loaded(
        network.model,
        plans,
        network.bundle.manifest.digest,
        {"device": engine.device, "engine": engine.name, "precision": engine.precision},
    )
    # An engine whose halves hold parameters of their own no longer needs the network's.
    del network, engine
    give_back()
    return loaded


def _require_unchanged(network: Network) -> None:
    """Raise ModelError if another bundle was put into the folder while halves were compiled from it: they may be of both."""
    bundle = network.bundle
    if read_manifest(bundle.folder / MANIFEST).digest != bundle.manifest.digest:
        raise ModelError(f"bundle {bundle.folder}: it was changed while it was loaded; start again")
