"""The bill of materials names what is there, with what is known of it, and is the same each time."""

import importlib.util
import json
import re
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2:2.36-9+deb12u9

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""


def load_script():
    spec = importlib.util.spec_from_file_location("sbom", ROOT / "scripts" / "sbom.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_installed_is_listed_with_the_hash_that_the_lock_has(capsys):
    assert load_script().main(["splitdnn-edge", "0.15.0", str(ROOT / "locks")]) == 0
    text = capsys.readouterr().out
    assert load_script().main(["splitdnn-edge", "0.15.0", str(ROOT / "locks")]) == 0
    assert capsys.readouterr().out == text, "the same each time"
    bill = json.loads(text)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bill["serialNumber"])
    assert bill["metadata"]["component"]["name"] == "splitdnn-edge"
    found = {each["purl"]: each for each in bill["components"]}
    numpy = found[f"pkg:pypi/numpy@{version('numpy')}"]
    lock = (ROOT / "locks/base.txt").read_text()
    assert numpy["hashes"][0]["content"] in lock
    assert numpy["licenses"]
    references = [each["bom-ref"] for each in bill["components"]]
    assert len(references) == len(set(references))


def test_several_files_of_one_version_are_no_hash(tmp_path):
    (tmp_path / "a.txt").write_text(
        "one==1 --hash=sha256:aa\ntwo==2 --hash=sha256:bb --hash=sha256:cc\n# a\n"
    )
    script = load_script()
    assert script.read_hashes(tmp_path) == {("one", "1"): ["aa"], ("two", "2"): ["bb", "cc"]}
    several = script.of_python({("numpy", version("numpy")): ["aa", "bb"]})
    (numpy,) = (each for each in several if each["name"] == "numpy")
    assert "hashes" not in numpy


def test_of_files_for_several_processors_it_is_this_one_s(tmp_path, monkeypatch):
    head = "# What is installed for base, for x86_64 and aarch64. Made by scripts/lock.py: do not edit."
    (tmp_path / "a.txt").write_text(
        f"{head}\none==1 --hash=sha256:aa --hash=sha256:bb\ntwo==2; platform_machine != 'aarch64' --hash=sha256:cc\n"
    )
    script = load_script()
    for machine, first in {"x86_64": ["aa"], "aarch64": ["bb"], "riscv64": ["aa", "bb"]}.items():
        monkeypatch.setattr(script.platform, "machine", lambda machine=machine: machine)
        assert script.read_hashes(tmp_path) == {("one", "1"): first, ("two", "2"): ["cc"]}, machine


def test_debian_s_packages_are_those_that_are_installed(tmp_path):
    status, release = tmp_path / "status", tmp_path / "os-release"
    status.write_text(STATUS)
    release.write_text('ID=debian\nVERSION_ID="12"\n')
    (found,) = load_script().of_debian(status, release)
    assert found["purl"] == "pkg:deb/debian/libc6@2%3A2.36-9%2Bdeb12u9?arch=amd64&distro=debian-12"
    assert load_script().of_debian(tmp_path / "none", release) == []


def test_what_is_missing_is_said(capsys):
    assert load_script().main([]) == 2
    assert "give a name" in capsys.readouterr().err
