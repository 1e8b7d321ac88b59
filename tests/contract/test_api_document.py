"""docs/api.md and docs/examples: every example runs and shows what the page says; every public name is described."""

from __future__ import annotations

import builtins
import contextlib
import io
import re
import runpy
import tomllib
from pathlib import Path

import pytest
from kits.cloud import Server
from kits.example_package import PACKAGE

import splitdnn

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "api.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))
CLOUD = "http://127.0.0.1:8881"

pytestmark = pytest.mark.slow


def blocks(language: str) -> list[tuple[int, str]]:
    """Every block marked with this language: the line of the page that it begins on, and its text."""
    found = re.finditer(rf"^```{language}\n(.*?)^```", TEXT, flags=re.DOTALL | re.MULTILINE)
    return [(TEXT.count("\n", 0, match.start(1)), match[1]) for match in found]


def shown(block: str) -> list[str]:
    """What the comments beside `print` say that it prints, in order."""
    prints = re.findall(r"^\s*print\(.*$", block, flags=re.MULTILINE)
    comments = [re.fullmatch(r"\s*print\(.*\)  # (.*)", line) for line in prints]
    assert all(comments), f"a print without a comment: {prints}"
    return [comment[1] for comment in comments]


@pytest.fixture(scope="module")
def cloud(resnet18_bundle):
    with Server(model=str(resnet18_bundle.folder), weights="auto", precision="float32") as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture
def _at_home(home, resnet18_bundle, tmp_path, monkeypatch):
    """Default folders are those of the test run, where the network of the examples has been made."""
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_at_home")
def test_every_example_runs_and_shows_what_the_page_says(cloud):
    everything = "".join(block for _, block in blocks("python"))
    assert everything.count(CLOUD) == 1, "the client's example asks the cloud that runs for it"
    names: dict[str, object] = {"__name__": "__main__"}
    for line, block in blocks("python"):
        # So that a traceback names the line of the page.
        code = compile("\n" * line + block.replace(CLOUD, cloud), str(PAGE), "exec")
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(code, names)
        assert out.getvalue().splitlines() == shown(block), f"the block at line {line + 1}"


def test_every_public_name_is_described():
    missing = [name for name in splitdnn.__all__ if not re.search(rf"`(splitdnn\.)?{name}\b", TEXT)]
    assert missing == ["__version__"]


def test_no_name_is_described_that_there_is_not():
    """The names that begin as an error, a codec's type or a table of the page: what stands alone in backticks."""
    described = set(re.findall(r"`([A-Z][A-Za-z]+[a-z]+)`", TEXT))
    known = {*splitdnn.__all__, *dir(builtins), "GET"}
    assert described <= known, described - known


def test_the_signatures_on_the_page_are_the_codes():
    """Every parameter that the page names in `function(…)` is one of the function."""
    import inspect

    classes = {name: getattr(splitdnn, name) for name in ("Network", "SplitNetwork", "Client")}
    checked = 0
    section = None
    for line in TEXT.splitlines():
        if row := re.match(r"\| `(\w+)(\(.*?\))?`", line):
            name, arguments = row[1], row[2]
            section = classes.get(name, section)
            function = getattr(section, name, None) or getattr(splitdnn, name, None)
            if arguments and callable(function):
                known = set(inspect.signature(function).parameters)
                given = set(re.findall(r"(?:^\(|, )(\w+)", arguments))
                assert given <= known, f"{name}: {given - known}"
                checked += 1
    assert checked > 20


def test_the_entry_points_on_the_page_are_those_of_the_package_in_tests():
    groups = set()
    for _, block in blocks("toml"):
        groups |= tomllib.loads(block)["project"]["entry-points"].keys()
    package = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))
    assert groups == package["project"]["entry-points"].keys()


def test_links_lead_somewhere():
    targets = re.findall(r"\]\((?!http)([^)#]+)", TEXT)
    assert targets
    assert [target for target in targets if not (PAGE.parent / target).exists()] == []


@pytest.mark.usefixtures("_at_home")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(path, capsys):
    runpy.run_path(str(path), run_name="__main__")
    shown = {"split_points": "layer3", "detector": ": 2 tensors in a frame of "}[path.stem]
    assert shown in capsys.readouterr().out


def test_there_are_examples():
    assert EXAMPLES
    for path in EXAMPLES:
        assert path.read_text(encoding="utf-8").count("# %%") > 3, path
