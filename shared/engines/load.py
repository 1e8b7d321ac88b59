"""Loads the network that either side runs: its bundle, the split point, and an engine."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.codecs.calibrated.native.library import core_name
from shared.engines import make_engine
from shared.engines.agreeing import check_agreement
from shared.errors import EngineError
from shared.network.bundle import Verification, float_beside, float_of
from shared.network.choice import NAMED_SECONDS, NetworkChoice
from shared.network.find import bundle_folder, find_bundle
from shared.observing.telemetry import export_build_info, has_build_info

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shared.engines import Engine
    from shared.engines.half import Kind
    from shared.network.bundle import Bundle
    from shared.network.manifest import Manifest
    from shared.network.model import Model
    from shared.network.partition import Partition, SplitPoint
    from shared.observing.metrics import Metrics
    from shared.process.settings import CommonSettings

_log = logging.getLogger(__name__)

AUTO = "auto"
"""As a split point: an edge's planner chooses it. A cloud serves all split points, whatever its default."""


@dataclass(frozen=True)
class Network:
    """One network, ready to run."""

    bundle: Bundle
    point: SplitPoint
    """The split point in the settings, or this network's default."""
    engine: Engine
    instead_of: str = ""
    """The digest of the int8 bundle that this float32 one stands in for; empty where none was asked for."""

    @property
    def digest(self) -> str:
        """That of the bundle that was asked for: two bundles of one fingerprint may still differ in labels or name."""
        return self.instead_of or self.bundle.manifest.digest

    @property
    def model(self) -> Model:
        """What both sides know of it."""
        return self.bundle.model

    def at(self, split_point: str | None) -> Network:
        """The same network cut there; None and AUTO: at its default. Raises SplitPointError."""
        partition = self.bundle.partition
        is_default = split_point in (None, AUTO)
        point = partition.default() if is_default else partition.point(str(split_point))
        return replace(self, point=point)

    @property
    def partition(self) -> Partition:
        """Its split points."""
        return self.bundle.partition


def load_network(
    settings: CommonSettings,
    metrics: Metrics,
    component: Kind,
    *,
    weights: str,
    seed: int,
    patience_s: float,
    threads: int,
    streams: int = 1,
    hold: Callable[[], object] = lambda: None,
    bring_float: Callable[[Manifest], Path | None] = lambda _: None,
    alike: tuple[str, str] | None = None,
) -> Network:
    """Load the network that the settings name; report it in the log and, if it is the process's first, in `splitdnn_build_info`.

    `component` is the half that this side runs; the engine is chosen by it. `patience_s` bounds the download of weights in
    seconds; `threads` and `streams` are those of `make_engine`. `hold` is called before a bundle is made or engines are timed, and
    returns when that may begin. `bring_float` is told of an int8 bundle that does not serve here and has
    no float32 one beside it, and gives the latter's folder if it can. `alike` is the engine and the precision of another process that
    serves beside this one, which a network that is not int8 takes in place of the settings'. Raises StartupError or SplitPointError.
    """
    choice = _choice(settings, weights, seed)

    def compiled(choice: NetworkChoice, *, verify: bool, stands_in: bool = False) -> Network:
        bundle = find_bundle(
            choice,
            settings.cache_dir,
            bundles_dir=settings.bundles_dir,
            patience_s=patience_s,
            verify=verify,
            hold=hold,
        )
        verification = None if verify else Verification(bundle)
        is_default = settings.split_point in (None, AUTO)
        point = (
            bundle.partition.default() if is_default else bundle.partition.point(str(settings.split_point))
        )
        given = settings.engine, settings.precision
        name, precision = alike if alike and bundle.manifest.int8 is None else given
        try:
            engine = make_engine(
                bundle,
                name=name,
                precision=precision,
                device=settings.device,
                threads=threads,
                streams=streams,
                cache_dir=settings.cache_dir,
                kind=component,
                point=point,
                weights=weights if weights != "auto" and bundle_folder(settings.model) else None,
                hold=hold,
            )
            check_agreement(bundle, engine, settings.cache_dir)
        except EngineError as error:
            if verification and not verification.passed():
                return compiled(choice, verify=True, stands_in=stands_in)
            if bundle.manifest.int8 is None or stands_in:  # only float32 stands in
                raise
            stand_in = float_beside(bundle)
            if stand_in is None:
                stand_in = bring_float(bundle.manifest)
            if stand_in is None:
                raise EngineError(
                    f"{error}. Give both sides the float32 bundle (its folder would be {float_of(bundle.folder)}), or make the int8 one "
                    "again on this machine"
                ) from None
            _log.warning("%s; the float32 network runs instead, from %s", error, stand_in)
            found = compiled(replace(choice, model=str(stand_in)), verify=False, stands_in=True)
            return replace(found, instead_of=bundle.manifest.digest)
        if verification and not verification.passed():
            return compiled(choice, verify=True, stands_in=stands_in)
        return Network(bundle, point, engine)

    network = compiled(choice, verify=False)
    model, engine = network.model, network.engine
    engine.on_failed_check = metrics.engine_failed_checks.inc
    if not has_build_info(metrics.registry):
        export_build_info(
            metrics.registry,
            {"head": "edge", "tail": "cloud"}[component],
            model=model.name,
            weights=model.weights,
            fingerprint=model.fingerprint.hex(),
            device=engine.device,
            engine=engine.name,
            precision=engine.precision,
        )
    _log.info("recipe: %s", model.recipe.describe())
    _log.info("the codec calibrated is computed by %s", core_name())
    _log.info(
        "%s, weights %s, fingerprint %s, %d split points, default %s",
        model.name,
        model.weights,
        model.fingerprint.hex(),
        len(network.partition.points),
        network.point.name,
    )
    return network


def list_split_points(settings: CommonSettings) -> str:
    """The table of `--list-split-points` for the network that the settings name. Raises StartupError."""
    # Where a network can be cut does not depend on its weights, so nothing is fetched for the default choice.
    choice = _choice(settings, settings.weights, settings.seed)
    bundle = find_bundle(
        choice,
        settings.cache_dir,
        bundles_dir=settings.bundles_dir,
        patience_s=NAMED_SECONDS,
        fetch=settings.weights != "auto",
    )
    return describe_split_points(bundle.partition)


def _choice(settings: CommonSettings, weights: str, seed: int) -> NetworkChoice:
    return NetworkChoice(settings.model, weights, seed, settings.labels, settings.recipe, settings.task)


def describe_split_points(partition: Partition) -> str:
    """A table of every split point: name, shapes of what crosses, elements, float32 bytes, millions of MACs on each side."""
    width = max(len(name) for name in ("split point", *partition.points))
    shapes = {name: _shapes(point) for name, point in partition.points.items()}
    wide = max(16, *map(len, shapes.values()))
    lines = [
        f"{'split point':<{width}}  {'shape':<{wide}}{'elements':>10}{'float32 B':>12}{'head MMACs':>12}{'tail MMACs':>12}"
    ]
    lines += [
        f"{point.name:<{width}}  {shapes[point.name]:<{wide}}{point.elements:>10}{point.float32_bytes:>12}"
        f"{point.head_macs / 1e6:>12.1f}{point.tail_macs / 1e6:>12.1f}"
        for point in partition.points.values()
    ]
    return "\n".join(lines)


def _shapes(point: SplitPoint) -> str:
    return " + ".join("x".join(map(str, shape)) for shape in point.shapes)
