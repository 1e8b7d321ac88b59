"""Networks of one's own: `file.py:build` or `package.module:build`, a function that returns a module, or a module itself."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import signal
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from shared.errors import ModelError, suggest
from shared.network.labels import read_labels
from shared.process.machine import expand_home
from shared.torch_network.detection.detector import as_network, is_detector, recipe_of
from shared.torch_network.detection.own_answers import settle
from shared.torch_network.graph.inspection import check_arguments, check_running
from shared.torch_network.messages import reason
from shared.torch_network.network import TorchNetwork
from shared.torch_network.recipes import from_timm, settled, without_metadata
from shared.torch_network.weights.fit import fit
from shared.torch_network.weights.loading import Weights, weights_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.network.choice import NetworkChoice
    from shared.network.recipe import Recipe

_ACCEPTED = (
    "accepted: a function or class that needs no arguments and gives a torch.nn.Module, or a module itself"
)


def build_function(choice: NetworkChoice, *, folder: str | None = None) -> TorchNetwork:
    """Build what `file.py:build` or `package.module:build` names. `folder`: where to look for the package, too.

    Raises ModelError for whatever its code raises.
    """
    place, _, attribute = choice.model.rpartition(":")
    path = expand_home(place)
    is_file = place.endswith(".py") or path.is_file()
    folder = str(path.resolve().parent) if is_file else folder or str(Path.cwd())
    with _importable(folder):
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            torch.manual_seed(choice.seed)
            namespace = _import_file(path) if is_file else _import_package(place)
            module = _make(_find(namespace, attribute, choice.model), choice.model)
        name = f"{path.stem}:{attribute}" if is_file else choice.model
        recipe, notes = _recipe(module, choice, name)
        task = None
        if is_detector(module):
            detector, module = module, as_network(module, recipe, name)
            weights, more = _weights(module, choice, recipe, name)
            task = settle(detector, module, recipe.tensor_shape, name)
        else:
            check_arguments(module.forward, name)
            weights, more = _weights(module, choice, recipe, name)
            check_running(module, recipe.tensor_shape, name)
    return TorchNetwork(
        name=name,
        weights=weights.description,
        module=module,
        recipe=recipe,
        labels=() if choice.labels is None else read_labels(expand_home(choice.labels)),
        source={
            "kind": "function",
            "model": f"{path.resolve()}:{attribute}" if is_file else choice.model,
            "folder": folder,
            "weights": weights.given,
            "seed": choice.seed,
            "recipe": choice.recipe,
        },
        fingerprint=None,
        notes=(*notes, *more),
        task=task,
    )


@contextlib.contextmanager
def _importable(folder: str) -> Iterator[None]:
    """Let code find what lies beside it, as if it was started from there; afterwards only if nothing else has that name."""
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
        if folder not in sys.path:
            sys.path.append(folder)  # networks import things when they run


def _import_file(path: Path) -> Any:
    if not path.is_file():
        raise ModelError(
            f"{path}: no such file; accepted: file.py:build, the path of a file of Python and a name in it"
        )
    name = f"splitdnn_source_{path.stem}"  # apart from the library that may have the file's name
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ModelError(f"{path}: not a file of Python; accepted: file.py:build")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look for it there
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        _let_interrupt_pass(error)
        raise ModelError(f"{path} cannot be imported: {reason(error)}") from error
    return module


def _import_package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except BaseException as error:
        _let_interrupt_pass(error)
        raise ModelError(
            f"{name} cannot be imported: {reason(error)}; accepted: file.py:build, or package.module:build where the package is "
            "installed or lies in the working directory"
        ) from error


def _let_interrupt_pass(error: BaseException) -> None:
    """Raise what may be the user's own interrupt; not where the process ends by it at once, so that the code has raised it."""
    if isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        raise error


def _find(namespace: Any, attribute: str, what: str) -> Any:
    found = namespace
    for part in attribute.split("."):
        if not hasattr(found, part):
            known = [
                name
                for name, value in vars(found).items()
                if not name.startswith("_") and (callable(value) or isinstance(value, torch.nn.Module))
            ]
            raise ModelError(f"{what}: there is no {part!r}; {suggest(part, known) if known else _ACCEPTED}")
        found = getattr(found, part)
    return found


def _make(found: Any, what: str) -> torch.nn.Module:
    if not isinstance(found, torch.nn.Module):
        if not callable(found):
            raise ModelError(f"{what} is a {type(found).__name__}; {_ACCEPTED}")
        required = _required(found)
        if required:
            raise ModelError(f"{what} requires the arguments {', '.join(required)}; {_ACCEPTED}")
        try:
            found = found()
        except BaseException as error:
            _let_interrupt_pass(error)
            raise ModelError(f"{what} raised {reason(error)}") from error
        if not isinstance(found, torch.nn.Module):
            raise ModelError(f"{what} returned a {type(found).__name__}; {_ACCEPTED}")
    try:
        return ready(found)
    except Exception as error:
        raise ModelError(f"{what} cannot be used on the CPU in float32: {reason(error)}") from error


def _required(function: Any) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [
        each.name
        for each in parameters
        if each.default is each.empty and each.kind not in {each.VAR_POSITIONAL, each.VAR_KEYWORD}
    ]


def ready(module: torch.nn.Module) -> torch.nn.Module:
    """`module` without what wraps it for training, in eval mode, float32, on the CPU, without gradients."""
    while isinstance(module, torch.nn.DataParallel | torch.nn.parallel.DistributedDataParallel) or (
        type(module).__name__ == "OptimizedModule"  # what torch.compile returns; its class is in the compiler
    ):
        module = getattr(module, "module", None) or module.get_submodule("_orig_mod")
    module.eval()
    module.cpu()
    module.float()
    module.requires_grad_(requires_grad=False)
    return module


def _recipe(module: torch.nn.Module, choice: NetworkChoice, name: str) -> tuple[Recipe, tuple[str, ...]]:
    if is_detector(module):
        return settled(recipe_of(module, name), choice.recipe), ()
    config = getattr(module, "pretrained_cfg", None)
    if isinstance(config, dict):
        base, notes = from_timm(config, name)
        return settled(base, choice.recipe), notes
    return without_metadata(choice.recipe)


def _weights(
    module: torch.nn.Module, choice: NetworkChoice, recipe: Recipe, name: str
) -> tuple[Weights, tuple[str, ...]]:
    if choice.weights in {"auto", "random"}:  # those that its own code gives it
        return Weights(f"built:{choice.seed}", choice.weights, None, seed=choice.seed), ()
    weights = weights_file(choice.weights, name, [])
    state, notes = weights.state_for(module.state_dict())
    more = fit(
        module, state, f"weights {weights.description} do not fit {name}", input_shape=recipe.tensor_shape
    )
    return weights, (*notes, *more)
