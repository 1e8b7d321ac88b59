"""Which way torch comes in, and that CUDA never comes in by accident."""

import importlib.util
import json
import socket
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PINS = {"torch": "2.13.0", "torchvision": "0.28.0"}
INDEX = "http://127.0.0.1:9/whl/cpu"


def load_script():
    spec = importlib.util.spec_from_file_location("install_torch", ROOT / "scripts" / "install_torch.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class FakePip:
    """Remembers what was asked of it. Installing succeeds, with torch built for `brings_cuda`."""

    def __init__(self, resolves_to=("torch", "torchvision", "numpy"), *, brings_cuda=None):
        self.calls = []
        self.report = json.dumps({"install": [{"metadata": {"name": name}} for name in resolves_to]})
        self.brings_cuda = brings_cuda
        self.versions = {}
        self.cuda = None

    def __call__(self, *arguments, capture=False):
        self.calls.append(arguments)
        if capture:
            return self.report
        for requirement in arguments:
            if "==" in requirement:
                name, version = requirement.split("==")
                self.versions[name] = version + ("" if self.brings_cuda else "+cpu")
        self.cuda = self.brings_cuda
        return ""

    @property
    def installs(self):
        return [call for call in self.calls if "--dry-run" not in call]


@pytest.fixture
def script(monkeypatch):
    module = load_script()

    def arrange(pip, *, answers=False):
        monkeypatch.setattr(module, "pip", pip)
        monkeypatch.setattr(module, "index_answers", lambda _: answers)
        monkeypatch.setattr(module, "installed_version", pip.versions.get)
        monkeypatch.setattr(module, "installed_cuda", lambda: pip.cuda)
        return module

    return arrange


def test_pins_are_those_of_the_project():
    pins = load_script().read_pins(ROOT / "pyproject.toml")
    assert set(pins) == {"torch", "torchvision"}
    assert all(version.replace(".", "").isdigit() for version in pins.values())


def test_an_index_that_answers_is_used_alone(script):
    pip = FakePip()
    said = script(pip, answers=True).install(PINS, INDEX, cuda=False)
    (call,) = pip.calls
    assert call[call.index("--index-url") + 1] == INDEX
    assert "--extra-index-url" not in call
    assert "--no-deps" in call
    assert f"from {INDEX}" in said


def test_a_silent_index_leads_to_plain_pip_after_a_dry_run(script):
    pip = FakePip()
    said = script(pip).install(PINS, INDEX, cuda=False)
    look, act = pip.calls
    assert "--dry-run" in look
    assert "--dry-run" not in act
    assert "--index-url" not in act
    assert "plain pip" in said


@pytest.mark.parametrize(
    "name", ["nvidia-cudnn-cu13", "nvidia_cublas", "cuda-bindings", "cuda-toolkit", "triton"]
)
def test_plain_pip_that_would_bring_cuda_is_refused(script, name):
    pip = FakePip(["torch", name])
    module = script(pip)
    with pytest.raises(module.Refusal, match=name):
        module.install(PINS, INDEX, cuda=False)
    assert pip.installs == []


@pytest.mark.parametrize("name", ["cudagrad", "tritonclient", "numpy", "torch"])
def test_names_that_only_look_alike_are_not_refused(script, name):
    assert script(FakePip()).cuda_packages(json.dumps({"install": [{"metadata": {"name": name}}]})) == []


def test_nothing_is_done_where_the_right_builds_are_there(script):
    pip = FakePip()
    pip.versions = {"torch": "2.13.0+cpu", "torchvision": "0.28.0"}
    assert "already" in script(pip).install(PINS, INDEX, cuda=False)
    assert pip.calls == []


@pytest.mark.parametrize(
    ("versions", "cuda"),
    [
        ({"torch": "2.12.0+cpu", "torchvision": "0.28.0"}, None),
        ({"torch": "2.13.0+cpu"}, None),
        ({"torch": "2.13.0+cu130", "torchvision": "0.28.0"}, "13.0"),
    ],
    ids=["another version", "one missing", "built for CUDA"],
)
def test_the_wrong_builds_are_replaced(script, versions, cuda):
    pip = FakePip()
    pip.versions, pip.cuda = versions, cuda
    script(pip, answers=True).install(PINS, INDEX, cuda=False)
    (call,) = pip.installs
    assert "--force-reinstall" in call


def test_a_cuda_build_that_came_all_the_same_is_an_error(script):
    module = script(FakePip(brings_cuda="13.0"), answers=True)
    with pytest.raises(module.Refusal, match=r"built for CUDA 13\.0"):
        module.install(PINS, INDEX, cuda=False)


def test_a_cpu_build_where_cuda_was_asked_for_is_an_error(script):
    module = script(FakePip(), answers=True)
    with pytest.raises(module.Refusal, match="CPU build"):
        module.install(PINS, INDEX, cuda=True)


def test_cuda_may_come_with_plain_pip_where_it_was_asked_for(script):
    pip = FakePip(["torch", "nvidia-cublas"], brings_cuda="13.0")
    assert "plain pip" in script(pip).install(PINS, INDEX, cuda=True)


def test_a_refusal_is_one_line_and_a_failure(script, capsys):
    module = script(FakePip(["torch", "triton"]))
    assert module.main(["--index", INDEX]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1


def test_an_index_that_accepts_but_says_nothing_does_not_answer():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        assert not load_script().index_answers(f"http://127.0.0.1:{silent.getsockname()[1]}", seconds=0.2)
        assert time.monotonic() - start < 60


def test_the_kind_of_the_build_is_read_without_importing_torch(tmp_path, monkeypatch):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise ImportError('not now')\n")
    (tmp_path / "torch" / "version.py").write_text("cuda: str | None = '13.0'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "torch", raising=False)
    assert load_script().installed_cuda() == "13.0"
