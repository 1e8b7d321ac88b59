"""Tasks of other packages: what is used, and that whatever they do is one frame's error."""

from __future__ import annotations

import json
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.detecting import model
from kits.plugins import Entry, raising

from shared.errors import ContentError, ModelError
from shared.tasks import registry
from shared.tasks.agreement import Agreement
from shared.tasks.base import Task
from shared.tasks.foreign.plugins import TaskPlugins
from shared.tasks.registry import KINDS, make_task, require_known
from shared.tasks.spec import TaskSpec, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shared.network.model import Model

OUTPUTS = (np.array([1.0, 2.0], np.float32),)
BATCH = (np.ones((3, 2), np.float32),)
RAISED: list[BaseException] = [RuntimeError("no"), SystemExit(3), KeyError("x"), ZeroDivisionError()]


class Total:
    """An answer: one number."""

    def __init__(self, total: float) -> None:
        self._total = total

    def fields(self) -> dict[str, Any]:
        return {"total": self._total}

    def headline(self) -> str:
        return f"{self._total:g}"

    def findings(self) -> list[tuple[str, float]]:
        return [("total", 0.5)]

    def shows(self) -> list[str]:
        return ["total"]

    def in_picture(self, recipe: Any, size: tuple[int, int]) -> Total:
        del recipe
        return Total(self._total * size[0])


class Summing(Task):
    """A task of another package."""

    name = "sum"
    divergence_unit = "difference"

    def __init__(self, scale: float = 1.0) -> None:
        self._scale = scale

    def answer(self, outputs: Any) -> Any:
        return Total(self._scale * float(outputs[0].sum()))

    def nothing(self) -> Any:
        return Total(0)

    def parse(self, fields: Mapping[str, Any]) -> Any:
        return Total(float(fields["total"]))

    def agreement(self, expected: Any, found: Any) -> Agreement:
        one = np.ones(len(expected[0]))
        return Agreement((expected[0].sum(1) == found[0].sum(1)).astype(np.float64), one, one)

    def divergence(self, expected: Any, found: Any) -> Any:
        return np.abs(expected[0].sum(1) - found[0].sum(1))


def summing(given: Model, wanted: Wanted) -> Task:
    del wanted
    return Summing(float(dict(given.task.options).get("scale", 1)))


def variant(**attributes: Any) -> Callable[[Any, Any], Task]:
    kind = type("Variant", (Summing,), attributes)
    return lambda *_: kind()


def install(monkeypatch: pytest.MonkeyPatch, *entries: Entry) -> TaskPlugins:
    plugins = TaskPlugins(lambda: entries, KINDS)  # type: ignore[arg-type,return-value]  # an entry point's stand-in
    monkeypatch.setattr(registry, "_plugins", plugins)
    return plugins


def made(monkeypatch: pytest.MonkeyPatch, factory: Any, **options: Any) -> Task:
    install(monkeypatch, Entry("sum", factory))
    return make_task(model(TaskSpec("sum", "none", tuple(options.items()))), Wanted())


def test_a_task_of_another_package_answers(monkeypatch: Any) -> None:
    task = made(monkeypatch, summing, scale=2)
    answer = task.answer(OUTPUTS)
    assert (answer.headline(), answer.fields()) == ("6", {"total": 6.0})
    assert list(answer.findings()) == [("total", 0.5)]
    assert task.parse(json.loads(json.dumps(answer.fields()))) == answer
    assert task.nothing().headline() == "0"
    assert answer.in_picture(None, (3, 9)).headline() == "18"  # type: ignore[arg-type]
    assert (task.name, task.divergence_unit, task.squares) == ("sum", "difference", False)
    assert task.agreement(BATCH, BATCH).matched.tolist() == [1, 1, 1]
    assert task.divergence(BATCH, (BATCH[0] + 1,)).tolist() == [2, 2, 2]


def test_a_binary_form_is_held_to_its_contract(monkeypatch: Any) -> None:
    assert made(monkeypatch, summing).pack(made(monkeypatch, summing).answer(OUTPUTS)) is None
    with pytest.raises(ValueError, match="no binary form"):
        made(monkeypatch, summing).unpack(b"3")
    task = made(monkeypatch, variant(pack=lambda *_: b"3", unpack=lambda _, body: Total(float(bytes(body)))))
    answer = task.answer(OUTPUTS)
    assert task.pack(answer) == b"3"
    assert task.unpack(memoryview(b"3")) == answer
    for error in RAISED:
        broken = made(monkeypatch, variant(pack=raising(error), unpack=raising(error)))
        with pytest.raises(ContentError):
            broken.pack(answer)
        with pytest.raises(ValueError, match=r"."):
            broken.unpack(b"3")
    for odd in ("3", bytes(1 << 20)):
        with pytest.raises(ContentError, match="binary form"):
            made(monkeypatch, variant(pack=lambda *_, odd=odd: odd)).pack(answer)


def test_the_group_is_read_from_the_installed_packages(monkeypatch: Any) -> None:
    asked: list[dict[str, str]] = []
    monkeypatch.setattr(registry.metadata, "entry_points", lambda **group: asked.append(group) or [])
    plugins = TaskPlugins(registry._plugins._plugins._entry_points, KINDS)
    assert plugins.names() == []
    assert asked == [{"group": "splitdnn.tasks"}]


def test_a_broken_package_is_named_once_and_stops_nothing(monkeypatch: Any, caplog: Any) -> None:
    entries = [
        Entry("a-task", does=raising(ImportError("no torch"))),
        Entry("b-task", does=raising(SystemExit(1))),
        Entry("c-task", gives=7),
        Entry("detect", gives=summing),
        Entry("Odd Name", gives=summing),
        Entry("sum", gives=summing),
        Entry("sum", gives=variant()),
    ]
    plugins = install(monkeypatch, *entries)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert plugins.names() == ["sum"]
    assert len(caplog.messages) == 6
    assert {"a-task", "b-task", "c-task", "detect", "Odd Name", "sum"} == set(plugins.broken)
    assert "ImportError: no torch" in plugins.broken["a-task"]
    assert "int, not a function" in plugins.broken["c-task"]
    assert "there is a task detect already" in plugins.broken["detect"]
    with pytest.raises(ModelError, match="the task a-task cannot be used: ImportError"):
        require_known("a-task")
    with pytest.raises(ModelError, match="no task 'summ'; did you mean sum"):
        require_known("summ")
    require_known("sum")


def test_packages_that_cannot_be_listed_stop_nothing(monkeypatch: Any, caplog: Any) -> None:
    monkeypatch.setattr(registry, "_plugins", TaskPlugins(raising(OSError("damaged")), KINDS))
    with caplog.at_level(logging.WARNING):
        require_known("detect")
        with pytest.raises(ModelError, match="no task"):
            require_known("sum")
    assert ["damaged" in message for message in caplog.messages] == [True]


def test_a_factory_that_fails_is_one_line(monkeypatch: Any) -> None:
    for factory, message in (
        (raising(RuntimeError("no")), "RuntimeError: no"),
        (raising(SystemExit(2)), "SystemExit"),
        (lambda *_: 7, "gives a int, no Task"),
    ):
        with pytest.raises(ModelError, match=f"the task sum cannot be used: .*{message}"):
            made(monkeypatch, factory)


def test_whatever_it_raises_is_the_error_of_one_frame(monkeypatch: Any) -> None:
    for error in RAISED:
        task = made(
            monkeypatch,
            variant(**dict.fromkeys(("answer", "agreement", "divergence", "parse"), raising(error))),
        )
        for call in (
            partial(task.answer, OUTPUTS),
            partial(task.agreement, BATCH, BATCH),
            partial(task.divergence, BATCH, BATCH),
        ):
            with pytest.raises(ContentError, match=f"the task sum: {type(error).__name__}"):
                call()
        with pytest.raises(ValueError, match=type(error).__name__):
            task.parse({"total": 1})
        with pytest.raises(ModelError, match=f"it has no empty answer .*{type(error).__name__}"):
            made(monkeypatch, variant(nothing=raising(error)))
        for method in ("fields", "headline", "findings", "shows"):
            broken = type("Broken", (Total,), {method: raising(error)})
            task = made(monkeypatch, variant(answer=lambda *_, broken=broken: broken(1)))
            with pytest.raises(ContentError, match="the task sum"):
                task.answer(OUTPUTS)
        unplaced = type("Unplaced", (Total,), {"in_picture": raising(error)})
        task = made(monkeypatch, variant(answer=lambda *_, kind=unplaced: kind(1)))
        with pytest.raises(ContentError, match="the task sum"):
            task.answer(OUTPUTS).in_picture(None, (1, 1))  # type: ignore[arg-type]
    own = ContentError("too dark")
    with pytest.raises(ContentError, match=r"^too dark$"):
        made(monkeypatch, variant(answer=raising(own))).answer(OUTPUTS)


def test_an_answer_that_cannot_be_one_is_the_error_of_one_frame(monkeypatch: Any) -> None:
    cases: list[tuple[str, Any]] = [
        ("fields", [1]),
        ("fields", {"a": float("nan")}),
        ("fields", {"a": b"bytes"}),
        ("fields", {"a": "x" * (1 << 20)}),
        ("headline", None),
        ("findings", [("a", 2)]),
        ("findings", [("a", float("nan"))]),
        ("findings", 7),
    ]
    for method, value in cases:
        kind = type("Odd", (Total,), {method: lambda _, value=value: value})
        task = made(monkeypatch, variant(answer=lambda *_, kind=kind: kind(1)))
        with pytest.raises(ContentError, match="the task sum"):
            raise AssertionError((method, task.answer(OUTPUTS)))


def test_numbers_that_cannot_be_are_refused(monkeypatch: Any) -> None:
    one = np.ones(3)
    for value in (one[:2], -one, one * np.nan, "x", None, np.ones((3, 2))):
        task = made(monkeypatch, variant(divergence=lambda *_, value=value: value))
        with pytest.raises(ContentError):
            raise AssertionError(task.divergence(BATCH, BATCH))
    for numbers in ((one, one), (one, one, one[:2]), (one, one, -one), (one, one, np.inf * one), 7):
        task = made(monkeypatch, variant(agreement=lambda *_, numbers=numbers: numbers))
        with pytest.raises(ContentError):
            raise AssertionError(task.agreement(BATCH, BATCH))
