"""From what the settings name to a network that is compiled for this edge, with the plans that frames may take."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.network.agreed_weights import agreed_weights
from shared.engines.load import AUTO, load_network
from shared.errors import EngineError, ModelError, SettingsError, SplitPointError
from shared.network.bundle import float_beside
from shared.network.find import bundle_folder
from shared.network.manifest import MANIFEST, read_manifest
from shared.observing.telemetry import export_build_info
from shared.process.memory import give_back
from shared.security.tokens.bearer import Bearer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge.cameras.settings import CameraSettings, PlanChoice
    from edge.config import EdgeSettings
    from edge.metrics import EdgeMetrics
    from edge.planning.plan import Plan
    from shared.engines.load import Network
    from shared.network.bundle import Bundle
    from shared.network.manifest import Manifest, PointEntry
    from shared.network.model import Model

_log = logging.getLogger(__name__)

_AUTO_S = 20.0
"""For weights that the user did not ask for by name."""
_NAMED_S = 900.0


@dataclass(frozen=True)
class EngineChoice:
    """The engine that runs a network, and the graph that it was chosen for."""

    device: str
    engine: str
    precision: str
    graph: tuple[PointEntry, ...] = ()
    """The split points with their shapes and work: what two networks have in common that differ in their parameters only."""

    def for_same_graph(self, settings: EdgeSettings) -> dict[str, str]:
        """Values for the settings that leave the choice open, if `model` is a bundle of the same graph; none for int8, which leaves none."""
        if self.precision == "int8":
            return {}
        try:
            manifest = read_manifest(Path(settings.model) / MANIFEST)
        except ModelError:
            return {}
        if _graph(manifest) != self.graph:
            return {}
        chosen = {"engine": self.engine, "precision": self.precision}
        return {name: value for name, value in chosen.items() if getattr(settings, name) == AUTO}


@dataclass(frozen=True, eq=False)
class Loaded:
    """A network that is ready for frames. Its engine is gone: the plans hold what was compiled."""

    model: Model
    plans: Mapping[PlanChoice, Sequence[Plan]]
    """Those of each camera, by what its settings leave to choose; one at least."""
    digest: str
    """SHA-256 that the manifest of the bundle that was asked for states of itself."""
    engine: EngineChoice
    float_network: tuple[str, Path] | None = None
    """Fingerprint and folder of the float32 network that an int8 one was made of, if it lies beside it."""

    def sends_pictures(self, choice: PlanChoice) -> bool:
        """Whether every frame of a camera with this choice travels as a picture."""
        (first, *others) = self.plans[choice]
        return not others and first.codec is not None and first.codec.carries == "picture"

    def describe_plans(self) -> str:
        """For the log: the plan, or how many the planner may choose from."""
        found = [
            f"{plans[0].split_point.name} {plans[0].label}"
            if len(plans) == 1
            else f"one of {len(plans)} plans"
            for plans in self.plans.values()
        ]
        return ", or ".join(dict.fromkeys(found))

    def export_build_info(self, metrics: EdgeMetrics) -> None:
        """Say in `splitdnn_build_info` that this is the network in force."""
        export_build_info(
            metrics.registry,
            "edge",
            model=self.model.name,
            weights=self.model.weights,
            fingerprint=self.model.fingerprint.hex(),
            device=self.engine.device,
            engine=self.engine.engine,
            precision=self.engine.precision,
        )


def heads_at_once(settings: EdgeSettings, threads: int) -> int:
    """How many heads run at once, sharing so many threads."""
    return min(settings.head_workers, threads)


def load(
    settings: EdgeSettings,
    cameras: Sequence[CameraSettings],
    threads: int,
    metrics: EdgeMetrics,
    *,
    before: EngineChoice | None = None,
    hold: Callable[[], object] = lambda: None,
    bring_float: Callable[[Manifest], Path | None] = lambda _: None,
) -> Loaded:
    """Load, compile and plan for these cameras; takes long. Raises StartupError or SplitPointError.

    `before`: what the frames that are running meanwhile run with. Measurements of this machine then hold for now only. A network of
    the same graph, trained anew, takes the same engine: frames would spoil the choice of one, and the choice delay the frames.
    `hold` is called before a bundle is made or anything measured, and returns when that may begin. `bring_float` is `load_network`'s.
    """
    weights, seed = settings.weights, settings.seed
    if not bundle_folder(settings.model):  # which has its weights
        # Takes as long to import as a small bundle takes to read.
        from edge.uplink.line import context_of  # noqa: PLC0415

        bearer = Bearer.of_file(settings.cloud_token_file)
        weights, seed = agreed_weights(
            settings.cloud_url, settings.model, weights, seed, bearer, context_of(settings), settings.proxy
        )
    # A user who left the choice open does not wait long for the weights that the cloud chose.
    patience_s = _AUTO_S if settings.weights == "auto" else _NAMED_S

    def load_with(chosen: dict[str, str]) -> Network:
        return load_network(
            settings.model_copy(update=chosen | {"split_point": cameras[0].split_point}), metrics, "head",
            weights=weights, seed=seed, patience_s=patience_s, threads=threads,
            streams=heads_at_once(settings, threads), hold=hold, bring_float=bring_float,
        )  # fmt: skip

    chosen = before.for_same_graph(settings) if before else {}
    try:
        network = load_with(chosen)
    except EngineError as error:
        if not chosen:
            raise
        _log.info("%s; choosing anew", error)
        network = load_with({})
    plans = _plans(settings, cameras, network, hold, beside_frames=before is not None)
    _require_unchanged(network)
    engine = EngineChoice(
        network.engine.device, network.engine.name, network.engine.precision, _graph(network.bundle.manifest)
    )
    loaded = Loaded(network.model, plans, network.digest, engine, _float_network(network.bundle))
    # An engine whose halves hold parameters of their own no longer needs the network's.
    del network
    give_back()
    return loaded


def _plans(
    settings: EdgeSettings,
    cameras: Sequence[CameraSettings],
    network: Network,
    hold: Callable[[], object],
    *,
    beside_frames: bool,
) -> dict[PlanChoice, list[Plan]]:
    """The plans of each choice, made once for all cameras that have it."""
    # They bring OpenCV: the start imports it while the network above is read.
    from edge.planning.choices import make_plans  # noqa: PLC0415
    from shared.codecs.calibrated.codec import Calibrated  # noqa: PLC0415

    found: dict[PlanChoice, list[Plan]] = {}
    for camera in cameras:
        if camera.choice in found:
            continue
        if AUTO in (camera.split_point, camera.codec):
            hold()  # options are measured
        its = settings.model_copy(update=camera.planned_with)
        try:
            found[camera.choice] = make_plans(
                its, network.at(camera.split_point), beside_frames=beside_frames
            )
        except (SettingsError, SplitPointError) as error:
            if len(cameras) == 1:
                raise
            raise SettingsError(f"camera {camera.name}: {error}") from error
    if settings.profile and not any(plan.profile for plans in found.values() for plan in plans):
        _log.warning("--profile changes nothing: only --codec %s uses one", Calibrated.name)
    return found


def _require_unchanged(network: Network) -> None:
    """Raise ModelError if another bundle was put into the folder while halves were compiled from it: they may be of both."""
    bundle = network.bundle
    if read_manifest(bundle.folder / MANIFEST).digest != bundle.manifest.digest:
        raise ModelError(f"bundle {bundle.folder}: it was changed while it was loaded; start again")


def _float_network(bundle: Bundle) -> tuple[str, Path] | None:
    folder = float_beside(bundle)
    return (bundle.manifest.int8.float_fingerprint, folder) if folder and bundle.manifest.int8 else None


def _graph(manifest: Manifest) -> tuple[PointEntry, ...]:
    return tuple(manifest.split_points)
