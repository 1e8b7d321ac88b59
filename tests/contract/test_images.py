"""The images, as the Dockerfile builds them: pinned, small, without torch where none is needed, run by an unprivileged user."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "python:3.11-slim-bookworm"
CODE = {"edge": "edge", "cloud": "cloud", "cloud-torch": "cloud", "bundle": None}
"""Image -> the package that it alone is for."""
FROM = re.compile(r"^FROM (\S+) AS ([\w-]+)$", flags=re.MULTILINE)


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def stages():
    """Name -> the instructions of each stage."""
    parts = FROM.split(read("Dockerfile"))[1:]
    return dict(zip(parts[1::3], parts[2::3], strict=True))


def bases():
    """Name -> what each stage is built from."""
    return {name: base for base, name in FROM.findall(read("Dockerfile"))}


def chain(image):
    """The stages whose layers are in an image, its own first."""
    found = [image]
    while bases()[found[-1]] in bases():
        found.append(bases()[found[-1]])
    return found


def test_bases_are_pinned():
    assert len(bases()) == read("Dockerfile").count("\nFROM ")
    assert set(bases().values()) - set(bases()) == {PYTHON, "scratch"}


def test_images_share_their_layers():
    assert chain("edge") == ["edge", "base"]
    assert chain("cloud") == ["cloud", "base"]
    assert chain("bundle") == ["bundle", "torch", "base"]
    assert chain("cloud-torch") == ["cloud-torch", "torch", "base"]


def test_what_runs_networks_has_no_torch():
    """Nor has the project's own list of what every part needs."""
    pyproject = tomllib.loads(read("pyproject.toml"))["project"]
    extras = pyproject["optional-dependencies"]
    needs_torch = re.compile(r"(torch|torchvision|timm|onnx\w*)\b")
    for part, pins in {
        "base": pyproject["dependencies"],
        "edge": extras["edge"],
        "cloud": extras["cloud"],
    }.items():
        assert [pin for pin in pins if needs_torch.match(pin)] == [], part
    for image in ("edge", "cloud"):
        text = "".join(stages()[stage] for stage in chain(image))
        installed = set(re.findall(r"--requirement /mnt/(\w+)\.txt", text))
        assert installed == {"base", "cloud"} | ({"edge"} if image == "edge" else set()), image
        assert "install_torch" not in text, image
        copied = set(re.findall(r"COPY --from=([\w-]+)", text))
        own = {"avif"} if image == "edge" else set()  # it reads pictures from files
        assert copied == {"uninstalled"} | own, f"{image} takes files of {copied}"


def test_what_makes_bundles_has_torch_and_every_reader():
    for image in ("bundle", "cloud-torch"):
        text = "".join(stages()[stage] for stage in chain(image))
        assert "install_torch.py" in text, image
        assert "/mnt/torch.txt" in text, image
        assert "COPY --from=frontends" in text, image


def test_no_image_holds_an_installer():
    """pip is mounted from a stage that no image is built from."""
    for image in CODE:
        assert "tools" not in chain(image), image
        for stage in chain(image):
            assert "python -m pip" not in stages()[stage], f"{image}: {stage}"


def test_the_version_is_the_project_s():
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    tags = re.findall(r"\$\{SPLITDNN_VERSION:-([^}]+)\}", read("compose.yaml") + read("compose.gpu.yaml"))
    labels = re.findall(r"^ARG VERSION=(.+)$", read("Dockerfile"), flags=re.MULTILINE)
    assert len(labels) == len(CODE)
    assert {*tags, *labels} == {version}
    pages = "".join(
        path.read_text(encoding="utf-8") for path in [*ROOT.glob("docs/*.md"), ROOT / "README.md"]
    )
    named = re.findall(r"splitdnn-(?:cloud|edge|bundle):(\d+\.\d+\.\d+)", pages)
    assert named
    assert set(named) == {version}


def test_images_run_as_an_unprivileged_user():
    for image in CODE:
        users = re.findall(
            r"^USER (\S+)", "".join(stages()[stage] for stage in chain(image)), flags=re.MULTILINE
        )
        assert users == ["10001:10001"], image


def test_an_image_holds_its_own_side_and_what_all_share():
    for image, side in CODE.items():
        expected = ["splitdnn", "shared", *([side] if side else [])]
        assert re.findall(r"^COPY (\w+) ", stages()[image], flags=re.MULTILINE) == expected, image
        program = f'"python", "-m", "{side}"' if side else '"python", "-m", "splitdnn", "prepare"'
        assert f"CMD [{program}]" in stages()[image], image


def test_versions_of_packages_are_written_in_pyproject_only():
    for name in ("Dockerfile", "compose.yaml", "Makefile"):
        assert "==" not in re.sub(r"assert .*", "", read(name)), name


def test_the_build_context_leaves_out_what_is_private_or_large():
    lines = read(".dockerignore").splitlines()
    assert "*" in lines, "everything is left out but what is named"
    assert {".git", ".venv", ".env"} <= set(lines)
    kept = {line[1:] for line in lines if line.startswith("!")}
    made_of = {"pyproject.toml", "locks", "scripts/install_torch.py", "scripts/sbom.py"}
    assert kept == made_of | {"shared", "splitdnn", "cloud", "edge"}


def test_what_is_installed_is_known_to_the_last_byte():
    """All but torch, whose index has its own builds, and what its CUDA builds bring."""
    text = read("Dockerfile").replace("\\\n", " ")
    installs = re.findall(r"-m pip install ([^&;]*)", text)
    assert len(installs) == 6, "openvino, pillow, base and cloud, edge, torch, CUDA"
    loose = [line for line in installs if not {"--require-hashes", "--no-deps"} <= set(line.split())]
    assert [line.split() for line in loose] == [["--requirement", "/mnt/cuda.txt"]]
    locks = set(re.findall(r"source=locks/(\w+)\.txt", text))
    in_no_image = {"int8"}
    assert locks | in_no_image == {path.stem for path in (ROOT / "locks").glob("*.txt")}


def test_every_image_says_what_it_is_made_of():
    for image in CODE:
        assert f'/mnt/sbom.py splitdnn-{image} "$VERSION" /mnt/locks >sbom.cdx.json' in stages()[image], image
