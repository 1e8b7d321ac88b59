"""Nothing that is built or deployed is for one kind of processor only: images can be built for 64-bit ARM as they are."""

import re

import yaml
from kits.common import ROOT

_NAMED = re.compile(r"x86|amd64|i386|arm64|aarch64", re.IGNORECASE)
_DEPLOYED = [*sorted(ROOT.glob("compose*.yaml")), *sorted((ROOT / "deploy").rglob("*.yaml"))]


def read(path):
    return path.read_text(encoding="utf-8")


def test_no_dockerfile_names_a_processor_or_an_image_of_a_single_one():
    files = [ROOT / "Dockerfile", *sorted((ROOT / "deploy").rglob("Dockerfile"))]
    assert len(files) > 1
    for path in files:
        text = read(path)
        assert not _NAMED.search(text), path
        for line in re.findall(r"^FROM .*$", text, re.MULTILINE):
            assert "--platform" not in line, f"{path}: {line}"
            assert "@sha256" not in line, f"{path}: {line}: a digest may be of one processor's image"
    # What strips libraries is Debian's own, of whichever processor the image is for.
    assert 'LD_LIBRARY_PATH="/mnt/tools/usr/lib/$(uname -m)-linux-gnu"' in read(files[0])


def test_every_lock_is_for_both_and_leaves_out_on_arm_only_what_the_compiled_core_replaces():
    for path in sorted((ROOT / "locks").glob("*.txt")):
        header, *lines = read(path).splitlines()
        assert "for x86_64 and aarch64" in header, path.name
        pins = [line for line in lines if line and not line.startswith("#")]
        marked = [line.partition("==")[0] for line in pins if ";" in line]
        assert marked == (["constriction"] if path.name == "base.txt" else []), path.name
        for line in pins:
            if ";" not in line:
                assert 1 <= line.count("--hash=sha256:") <= 2, line


def test_what_is_deployed_is_tied_to_no_processor():
    assert len(_DEPLOYED) > 4
    for path in _DEPLOYED:
        for document in yaml.load_all(read(path), Loader=_Lenient):
            assert not list(_ties(document)), path


class _Lenient(yaml.SafeLoader):
    """Takes Compose's own tags (!reset, !override) as plain values."""


_Lenient.add_multi_constructor("!", lambda loader, _, node: _plain(loader, node))


def _plain(loader, node):
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


def _ties(node):
    """Keys that choose a processor, and images by a digest that may be of one."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("platform", "platforms", "kubernetes.io/arch", "node.platform.arch"):
                yield key
            if key == "image" and "@sha256" in str(value):
                yield value
            yield from _ties(value)
    elif isinstance(node, list):
        for each in node:
            yield from _ties(each)


def test_a_tie_would_be_found():
    for text in (
        "services: {a: {platform: linux/amd64}}",
        "spec: {nodeSelector: {kubernetes.io/arch: amd64}}",
        "services: {a: {image: 'x@sha256:00'}}",
        "a: [{b: !reset {platforms: [x]}}]",
    ):
        assert list(_ties(yaml.load(text, Loader=_Lenient))), text
