"""The peers' environments: made once, skipped with a reason."""

import re
import subprocess

import pytest

from bench.load.peers.environments import REQUIREMENTS, SkippedError, environment_of, reason, version_of
from bench.load.peers.known import CONTENDERS


class FakePip:
    """Runs nothing; makes the interpreter's file, as `python -m venv` does."""

    def __init__(self, status=0, error="", late=False):
        self.commands = []
        self._status, self._error, self._late = status, error, late

    def __call__(self, command, *, timeout, **_):
        self.commands.append((command, timeout))
        if command[2] == "venv":
            python = command[3] + "/bin"
            __import__("pathlib").Path(python).mkdir(parents=True)
            __import__("pathlib").Path(python, "python").touch()
            return subprocess.CompletedProcess(command, 0, "", "")
        if self._late:
            raise subprocess.TimeoutExpired(command, timeout)
        return subprocess.CompletedProcess(command, self._status, "", self._error)


def test_an_environment_is_made_once(tmp_path):
    run, said = FakePip(), []
    for _ in range(2):
        assert environment_of("kserve", tmp_path, 60, said.append, run) == tmp_path / "kserve/bin/python"
    assert len(said) == 1
    (_, _), (install, timeout) = run.commands
    assert install[1:4] == ["-m", "pip", "install"]
    assert install[-1] == str(REQUIREMENTS / "kserve.txt")
    assert timeout == 60


def test_other_versions_make_it_anew(tmp_path):
    run = FakePip()
    environment_of("kserve", tmp_path, 60, run=run)
    (tmp_path / "kserve" / "installed.txt").write_text("kserve==0.1\n")
    environment_of("kserve", tmp_path, 60, run=run)
    assert len(run.commands) == 4


@pytest.mark.parametrize(
    ("pip", "said"),
    [
        (FakePip(1, "WARNING: old\nERROR: No matching distribution found for x==1\n\n"), "not installed: ERROR: No matching"),
        (FakePip(1, ""), "no reason was said"),
        (FakePip(late=True), "not installed within 60 s"),
    ],
)  # fmt: skip
def test_what_cannot_be_installed_is_skipped_and_tried_again(tmp_path, pip, said):
    for _ in range(2):
        with pytest.raises(SkippedError, match=said):
            environment_of("kserve", tmp_path, 60, run=pip)
    assert len(pip.commands) == 4


def test_without_an_interpreter_it_is_skipped(tmp_path):
    def run(*_, **__):
        raise FileNotFoundError(2, "No such file or directory")

    with pytest.raises(SkippedError, match="No such file"):
        environment_of("kserve", tmp_path, 60, run=run)


def test_the_last_error_is_the_reason():
    assert reason("ERROR: first\nERROR: second\nnote: third") == "ERROR: second"
    assert len(reason("e" * 1000)) == 300


def test_every_peer_has_exact_versions_and_the_same_openvino():
    peers = [each for each in CONTENDERS.values() if each.is_peer]
    assert {path.stem for path in REQUIREMENTS.glob("*.txt")} == {each.name for each in peers}
    for each in peers:
        lines = (REQUIREMENTS / f"{each.name}.txt").read_text().splitlines()
        pins = [line for line in lines if not line.startswith("#")]
        assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.+]+", pin)] == [], each.name
        assert version_of(each.name, each.package) != "?", each.name
        assert version_of(each.name, "openvino") == "2026.4.1", each.name
        assert version_of(each.name, "torch") == "?", each.name


def test_the_openvino_of_peers_is_ours():
    ours = re.search(r'"openvino==([\w.]+)"', (REQUIREMENTS.parents[3] / "pyproject.toml").read_text())
    assert version_of("kserve", "openvino") == ours[1]
