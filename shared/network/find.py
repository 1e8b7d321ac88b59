"""Finds the bundle that the settings name: a folder, one that was made before and kept, or one that is made now.

Making one from torch needs torch, and takes seconds and memory: a child process does it, so that this one stays small.
"""

from __future__ import annotations

import errno
import importlib.util
import logging
import re
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import ModelError, SettingsError
from shared.network.bundle import previous_of, read_bundle
from shared.network.choice import RANDOM_WEIGHTS
from shared.network.labels import read_labels
from shared.network.making.bundle_key import bundle_name
from shared.network.making.bundling_process import make_in_child
from shared.network.manifest import MANIFEST, read_manifest
from shared.network.partition import OUTPUT
from shared.process.cache.folder import Cache
from shared.process.exit import at_end
from shared.process.machine import expand_home
from shared.torch_network.source import is_torch_source

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.network.bundle import Bundle
    from shared.network.choice import NetworkChoice

_log = logging.getLogger(__name__)

_FAILED_FETCH_S = 3600.0
"""A fetch that failed is not tried again for so long, so that an edge without a network does not wait 20 s at every start."""
_UNWRITTEN = "cannot be written: "
"""How the child says that the disk is the reason. What follows is the system's word, or OpenVINO's, which tells nothing."""
_NAME = re.compile(r"\w+")
_LOOKS, _LOOK_S = 10, 0.02
"""How often and at what intervals a folder that is being replaced is looked for."""


def find_bundle(
    choice: NetworkChoice,
    cache_dir: str,
    *,
    patience_s: float,
    bundles_dir: str = "",
    fetch: bool = True,
    verify: bool = True,
    hold: Callable[[], object] = lambda: None,
    clock: Callable[[], float] = time.time,
) -> Bundle:
    """The bundle of the network that `choice` names, made now if need be.

    `weights=auto` is a bundle of pretrained weights that was kept, else their download, else random weights with a warning.
    `patience_s` bounds a download in seconds; `fetch` False takes random weights at once. `cache_dir` keeps bundles; ""
    keeps them until the process ends. `bundles_dir` is another cache, which is only read. `verify` False leaves it to the caller to
    compare the files with their digests. `hold` is called before one is made, and returns when that may begin. Raises ModelError or
    SettingsError, one line.
    """
    folder = bundle_folder(choice.model)
    if folder:
        return _read_folder(folder, choice, verify=verify)
    caches = (Cache(cache_dir), Cache(bundles_dir))
    return _Finder(choice, caches, patience_s, hold, clock, verify=verify).find(fetch=fetch)


def bundle_folder(model: str) -> Path | None:
    """The folder that the setting `model` names; None if it names another source. Raises ModelError for an empty folder."""
    path = expand_home(model)
    try:
        for look in range(_LOOKS):
            if look:
                time.sleep(_LOOK_S)
            if (path / MANIFEST).is_file():
                return path
            is_folder = path.is_dir()
            if is_folder or not previous_of(path).is_dir():
                break
            # Another bundle is being put in its place, by two renames.
    except PermissionError as error:
        raise ModelError(
            f"model {model}: {error.strerror}; accepted: a folder that this process may read"
        ) from None
    except (OSError, ValueError):  # a name that no file can have
        return None
    if is_folder and not _NAME.fullmatch(model):
        raise ModelError(
            f"model {model}: this folder has no {MANIFEST}; accepted: a folder that `splitdnn bundle` wrote, or a source of one"
        )
    return None


def _read_folder(folder: Path, choice: NetworkChoice, *, verify: bool) -> Bundle:
    for name, given in (("recipe", choice.recipe), ("task", choice.task)):
        if given:
            raise SettingsError(
                f"{name} {given}: the bundle {folder} has its own; make it again with "
                f"`splitdnn bundle SOURCE --{name} {given} -o FOLDER`"
            )
    bundle = read_bundle(folder, verify=verify)
    if choice.weights != "auto":
        _log.warning(
            "weights %s: the bundle %s has its own, %s; only the engine torch reads them anew",
            choice.weights, folder, bundle.model.weights,
        )  # fmt: skip
    if choice.labels is None:
        return bundle
    classes = len(bundle.model.labels) or None  # as many as the bundle has names
    if bundle.model.task.name == "classify":
        classes = bundle.partition.points[OUTPUT].shapes[0][-1]
    elif bundle.model.task.name not in ("detect", "segment"):
        classes = None
    labels = read_labels(expand_home(choice.labels), classes)
    return replace(bundle, model=replace(bundle.model, labels=labels))


class _Finder:
    """Finds or makes the bundle of one choice."""

    def __init__(
        self,
        choice: NetworkChoice,
        caches: tuple[Cache, Cache],
        patience_s: float,
        hold: Callable[[], object],
        clock: Callable[[], float],
        *,
        verify: bool,
    ) -> None:
        self._choice = choice
        self._random = replace(choice, weights="random")
        self._cache, self._others = caches
        self._patience_s = patience_s
        self._hold = hold
        self._clock = clock
        self._verify = verify

    def find(self, *, fetch: bool) -> Bundle:
        if bundle := self._kept(self._choice):
            return bundle
        if self._may_be_random and not (fetch and self._may_fetch()):
            bundle = self._kept(self._random) or self._make(self._random)
            if fetch:
                _log.warning(RANDOM_WEIGHTS, "the last download failed", self._choice.seed)
            return bundle
        return self._make(self._choice)

    @property
    def _may_be_random(self) -> bool:
        """Whether weights=auto may end in random ones: only a name says where pretrained weights are."""
        model = self._choice.model
        return self._choice.weights == "auto" and (":" not in model or model.startswith("timm:"))

    def _kept(self, choice: NetworkChoice) -> Bundle | None:
        name, verify = bundle_name(choice), self._verify
        entry = self._cache.load_folder(name, verify=verify) or self._others.load_folder(name, verify=verify)
        if entry is None:
            return None
        try:
            return read_bundle(entry, verify=False)  # its files were compared with their digests, or will be
        except ModelError as error:
            _log.warning("%s; it is made again", error)
            shutil.rmtree(entry, ignore_errors=True)
            return None

    def _make(self, choice: NetworkChoice) -> Bundle:
        """Make the bundle in a child process, into the cache or a temporary folder."""
        if not self._can_make:
            raise ModelError(
                f"model {choice.model}: no bundle of it is here, and torch, which makes one, is not installed; run "
                f"`splitdnn bundle {choice.model} -o FOLDER` where torch is, and give --model that FOLDER"
            )
        self._hold()
        name = bundle_name(choice)
        with self._cache.locked(name):
            if bundle := self._kept(choice):  # another process has made it meanwhile
                return bundle
            if self._may_be_random and not self._may_fetch() and (bundle := self._kept(self._random)):
                return bundle
            _log.info("making the bundle of %s, once", choice.model)
            start = time.perf_counter()
            entry = self._cache.store_folder(name, lambda folder: self._fill(folder, choice))
            if entry is None:
                entry = self._temporary(choice)
            bundle = read_bundle(entry, verify=False)
            _log.info("made %s in %.1f s: %s", bundle.model.name, time.perf_counter() - start, entry)
        return bundle

    def _fill(self, folder: Path, choice: NetworkChoice) -> str | None:
        """Have the child fill `folder`. Returns the name of the entry if it is another one: that of random weights.

        Raises ModelError, or OSError where the disk is the reason.
        """
        try:
            make_in_child(choice, folder, self._patience_s)
        except ModelError as error:
            _, unwritten, reason = str(error).partition(_UNWRITTEN)
            if unwritten:
                raise OSError(errno.EIO, f"{reason} (is the disk full?)") from None
            raise
        if choice.weights == "auto" and self._may_be_random:
            weights = read_manifest(folder / MANIFEST).weights
            if weights.startswith("random:"):
                self._cache.store_json(self._fetch_name, {"failed_at": self._clock()})
                return bundle_name(self._random)
        return None

    def _temporary(self, choice: NetworkChoice) -> Path:
        """A bundle that lasts as long as the process."""
        try:
            folder = Path(tempfile.mkdtemp(prefix="splitdnn-bundle-"))
            at_end(lambda: shutil.rmtree(folder, ignore_errors=True))
            try:
                self._fill(folder, choice)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        except OSError as error:
            raise ModelError(
                f"model {choice.model}: its bundle cannot be written: {error.strerror}"
            ) from None
        return folder

    @property
    def _can_make(self) -> bool:
        return not is_torch_source(self._choice.model) or importlib.util.find_spec("torch") is not None

    def _may_fetch(self) -> bool:
        if not self._can_make:
            return False
        kept = self._cache.load_json(self._fetch_name)
        failed_at = kept.get("failed_at") if isinstance(kept, dict) else None
        if not isinstance(failed_at, int | float):
            return True
        return not 0 <= self._clock() - failed_at < _FAILED_FETCH_S

    @property
    def _fetch_name(self) -> str:
        return bundle_name(self._choice).replace("bundle-", "fetch-")
