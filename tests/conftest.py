"""What all tests share: threads that wait do not spin, as in the processes under test, and one bundle, made once in a run."""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

from shared.process.threads import limit_threads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

    from xdist.remote import Producer
    from xdist.workermanage import WorkerController

    from shared.network.bundle import Bundle
    from shared.network.model import Model
    from shared.network.partition import Partition

limit_threads(0)  # before numpy is imported
# One example may take as long as others use the machine.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")


def _stray_signal(number: int, _frame: FrameType | None) -> None:
    """Fails the test at hand, with what each thread does, in place of ending the process and what it has not run yet."""
    threads = "\n\n".join("".join(traceback.format_stack(frame)) for frame in sys._current_frames().values())
    pytest.fail(f"{signal.Signals(number).name} came to the process of the tests. Its threads:\n\n{threads}")


class _Files(LoadFileScheduling):
    """What xdist 3.8 does not do once a worker has ended, so that the others go on, and each test is tried once."""

    def remove_node(self, node: WorkerController) -> str | None:
        """Hands the test that ended it to nobody else, and no file that it had finished: for more than nothing a worker waits forever."""
        work = self.assigned_work[node]
        left = [(tests, name) for tests in work.values() for name, done in tests.items() if not done]
        for tests, name in left[:1]:
            tests[name] = True
        self.assigned_work[node] = {file: tests for file, tests in work.items() if not all(tests.values())}
        super().remove_node(node)
        return left[0][1] if left else None

    def schedule(self) -> None:
        """Gives a new worker more than one test, or tells it that there are no more: it runs none before it knows what comes next."""
        super().schedule()
        for node in self.nodes:
            for _ in range(3):
                self._reschedule(node)

    def _reschedule(self, node: WorkerController) -> None:
        """Gives none to a new worker that has not said yet which tests it has."""
        if node in self.registered_collections:
            super()._reschedule(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _Files | None:
    return _Files(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Tells .ci/run whether all tests were tried."""
    if session.config.cache and not os.environ.get("PYTEST_XDIST_WORKER"):
        session.config.cache.set("splitdnn/status", int(exitstatus))


@pytest.fixture(autouse=True)
def _no_stray_signals() -> None:
    if os.environ.get(
        "PYTEST_XDIST_WORKER"
    ):  # before each test, as an event loop that took signals leaves the default
        signal.signal(signal.SIGTERM, _stray_signal)


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """A main program, and some converters, settle the log for a whole process; here each is only a part of one."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In place of the user's home, one for all processes of a test run: what they make is kept there."""
    base = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        base = base.parent
    folder = base / "home"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def cache_dir(home: Path) -> str:
    """Where that home keeps bundles and choices by default."""
    return str(home / ".cache" / "splitdnn")


@pytest.fixture(scope="session")
def resnet18_bundle(cache_dir: str) -> Bundle:
    """A ResNet-18 with seeded random weights, made by the first test of a run that needs it, which takes some seconds."""
    from shared.network.choice import NetworkChoice
    from shared.network.find import find_bundle

    return find_bundle(NetworkChoice("resnet18", "random"), cache_dir, patience_s=1.0)


@pytest.fixture(scope="session")
def resnet18(resnet18_bundle: Bundle) -> Model:
    return resnet18_bundle.model


@pytest.fixture(scope="session")
def partition(resnet18_bundle: Bundle) -> Partition:
    return resnet18_bundle.partition
