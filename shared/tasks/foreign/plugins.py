"""Tasks of other packages: the entry-point group `splitdnn.tasks`, name -> function of (Model, Wanted) that gives a Task."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.errors import ContentError, ModelError
from shared.limits import MAX_REPLY_BYTES
from shared.process.plugins import Plugins, describe
from shared.tasks.agreement import Agreement
from shared.tasks.base import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence
    from importlib import metadata

    from numpy.typing import NDArray

    from shared.engines.half import Tensors
    from shared.network.model import Model
    from shared.network.recipe import Recipe
    from shared.tasks.base import Answer
    from shared.tasks.spec import Wanted
    from shared.wire.frame import Bytes

GROUP = "splitdnn.tasks"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_MAX_FIELDS_BYTES = MAX_REPLY_BYTES // 2
"""Bytes of an answer's fields as JSON, at most: the reply holds some more."""
_ERRORS = (Exception, SystemExit)
"""What another package's code may raise; an exit would end the process for the sake of one frame."""


class TaskPlugins:
    """Those that are installed. May be used from any thread."""

    def __init__(
        self, entry_points: Callable[[], Iterable[metadata.EntryPoint]], taken: Container[str]
    ) -> None:
        """`taken`: names that no other package's task may have."""
        self._plugins: Plugins[Callable[[Model, Wanted], Task]] = Plugins(
            "task", entry_points, partial(_factory, taken)
        )

    @property
    def broken(self) -> Mapping[str, str]:
        """Why a name gives no task."""
        return self._plugins.broken

    def names(self) -> list[str]:
        """All that can be used."""
        return list(self._plugins.loaded())

    def make(self, name: str, model: Model, wanted: Wanted) -> Task:
        """The task, held to its contract. Raises ModelError, whatever its package raises."""
        try:
            inner = self._plugins.loaded()[name](model, wanted)
        except _ERRORS as error:
            raise ModelError(f"the task {name} cannot be used: {describe(error)}") from error
        if not isinstance(inner, Task):
            raise ModelError(f"the task {name} cannot be used: it gives a {type(inner).__name__}, no Task")
        task = PluginTask(name, inner)
        try:
            task.nothing()  # a frame that fails later needs one
        except ContentError as error:
            raise ModelError(f"the task {name} cannot be used: it has no empty answer ({error})") from error
        return task


def _factory(
    taken: Container[str], entry: metadata.EntryPoint, found: Mapping[str, object]
) -> tuple[str, Callable[[Model, Wanted], Task]]:
    if not _NAME.fullmatch(entry.name):
        raise ValueError(f"its name is {entry.name[:80]!r}; accepted: {_NAME.pattern}")
    if entry.name in taken or entry.name in found:
        raise ValueError(f"there is a task {entry.name} already")
    factory = entry.load()
    if not callable(factory):
        raise ValueError(f"it gives a {type(factory).__name__}, not a function that gives a task")  # noqa: TRY004 - one kind for all
    return entry.name, factory


@dataclass(frozen=True, slots=True)
class PluginAnswer:
    """An answer whose parts were asked for and checked where an error is still that of one frame."""

    fields_: dict[str, Any]
    headline_: str = field(compare=False)
    findings_: tuple[tuple[str, float], ...] = field(compare=False)
    shows_: tuple[str, ...] = field(compare=False)
    inner: Answer = field(compare=False)
    task: str

    def fields(self) -> dict[str, Any]:
        return self.fields_

    def headline(self) -> str:
        return self.headline_

    def findings(self) -> Sequence[tuple[str, float]]:
        return self.findings_

    def shows(self) -> Sequence[str]:
        return self.shows_

    def in_picture(self, recipe: Recipe, size: tuple[int, int]) -> PluginAnswer:
        """Raises ContentError."""
        try:
            return _checked(self.task, self.inner.in_picture(recipe, size))
        except _ERRORS as error:
            raise _content_error(self.task, error) from error


class PluginTask(Task):
    """`inner`, held to a task's contract: whatever it raises is the error of one frame, and what it gives is what it says."""

    def __init__(self, name: str, inner: Task) -> None:
        self.name = name
        self.divergence_unit = str(inner.divergence_unit)[:40]
        self.squares = bool(inner.squares)
        self._inner = inner

    def answer(self, outputs: Tensors) -> PluginAnswer:
        try:
            return _checked(self.name, self._inner.answer(outputs))
        except _ERRORS as error:
            raise _content_error(self.name, error) from error

    def nothing(self) -> PluginAnswer:
        """Raises ContentError, which is no frame's, if the task has none."""
        try:
            return _checked(self.name, self._inner.nothing())
        except _ERRORS as error:
            raise _content_error(self.name, error) from error

    def parse(self, fields: Mapping[str, Any]) -> PluginAnswer:
        try:
            return _checked(self.name, self._inner.parse(fields))
        except _ERRORS as error:
            raise ValueError(describe(error)) from error

    def pack(self, answer: Answer) -> bytes | None:
        """Raises ContentError for what is neither bytes nor None, or too long."""
        assert isinstance(answer, PluginAnswer)
        try:
            body = self._inner.pack(answer.inner)
            if body is not None and (type(body) is not bytes or len(body) > _MAX_FIELDS_BYTES):
                raise ValueError(f"an answer's binary form is at most {_MAX_FIELDS_BYTES} bytes")
        except _ERRORS as error:
            raise _content_error(self.name, error) from error
        return body

    def unpack(self, body: Bytes) -> PluginAnswer:
        try:
            return _checked(self.name, self._inner.unpack(body))
        except _ERRORS as error:
            raise ValueError(describe(error)) from error

    def agreement(self, expected: Tensors, found: Tensors) -> Agreement:
        """Raises ContentError for numbers that cannot be."""
        try:
            columns = np.array(self._inner.agreement(expected, found), np.float64)
            return Agreement(*_numbers(columns, (3, len(expected[0]))))
        except _ERRORS as error:
            raise _content_error(self.name, error) from error

    def common(self, expected: Answer, found: Answer) -> Agreement:
        """Raises ContentError for numbers that cannot be."""
        assert isinstance(expected, PluginAnswer)
        assert isinstance(found, PluginAnswer)
        try:
            columns = np.array(self._inner.common(expected.inner, found.inner), np.float64)
            return Agreement(*_numbers(columns, (3, 1)))
        except _ERRORS as error:
            raise _content_error(self.name, error) from error

    def divergence(self, expected: Tensors, found: Tensors) -> NDArray[np.float64]:
        """Raises ContentError for numbers that cannot be."""
        try:
            values = np.array(self._inner.divergence(expected, found), np.float64)
            return _numbers(values, (len(expected[0]),))
        except _ERRORS as error:
            raise _content_error(self.name, error) from error


def _checked(name: str, answer: Answer) -> PluginAnswer:
    """Raises whatever the answer raises, and ValueError if it does not give what it should."""
    given = answer.fields()
    text = json.dumps(given, allow_nan=False)
    if not isinstance(given, dict) or len(text) > _MAX_FIELDS_BYTES:
        raise ValueError(f"an answer's fields are an object of at most {_MAX_FIELDS_BYTES} bytes as JSON")
    headline, findings = answer.headline(), tuple(answer.findings())
    if not isinstance(headline, str) or len(headline) > _MAX_FIELDS_BYTES:
        raise ValueError("an answer's headline is a text")
    pairs = tuple((str(label), float(probability)) for label, probability in findings)
    if not all(0 <= probability <= 1 for _, probability in pairs):
        raise ValueError("what was found has probabilities, 0 … 1")
    shown = tuple(map(str, answer.shows()))
    for written in (headline, *(label for label, _ in pairs), *shown):
        written.encode()  # raises ValueError for lone surrogates, which cannot be written to a file or terminal
    return PluginAnswer(json.loads(text), headline, pairs, shown, answer, name)


def _numbers(values: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    if values.shape != shape or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"numbers of shape {values.shape}; {shape} are expected, finite and not below 0")
    return values


def _content_error(name: str, error: BaseException) -> ContentError:
    return error if isinstance(error, ContentError) else ContentError(f"the task {name}: {describe(error)}")
