"""What the images install is known to the last byte, and follows from the pins."""

import importlib.util
import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PINS = {
    "base": ["Num_py==2.0"],
    "cloud": ["tornado==6"],
    "edge": ["av==1"],
    "torch": ["torch==2", "timm==3"],
    "int8": ["nncf==4"],
}
HASH = "ab" * 32


def load_script():
    spec = importlib.util.spec_from_file_location("lock", ROOT / "scripts" / "lock.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def lock(monkeypatch):
    """The script with an index that has every package, and `six` as a dependency of each."""
    module = load_script()
    module.asked = []
    module.versions = {"six": "1.0"}

    def run(command, *, check):
        report = Path(command[command.index("--report") + 1])
        wanted = [word for word in command if "==" in word]
        module.asked.append(wanted)
        names = dict(pin.split("==") for pin in wanted) | ({} if "--no-deps" in command else module.versions)
        files = {"archive_info": {"hashes": {"sha256": HASH}}}
        installed = [
            {"metadata": {"name": name, "version": version}, "download_info": files}
            for name, version in names.items()
        ]
        report.write_text(json.dumps({"install": installed}))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(module.subprocess, "run", run)
    monkeypatch.setattr(module, "torch_brings", lambda: ["sympy==1"])
    return module


def write_all(lock, folder, pins):
    for part in lock.PARTS:
        below = {}
        for each in lock.PARTS[part]:
            below |= lock.read_lock(folder / f"{each}.txt")[1]
        (folder / f"{part}.txt").write_text(lock.make(part, pins, below))


def test_the_committed_locks_are_those_of_the_pins():
    assert load_script().problems() == []


def test_a_lock_has_what_its_part_adds_with_a_hash_for_each(lock, tmp_path):
    write_all(lock, tmp_path, PINS)
    assert lock.read_lock(tmp_path / "base.txt")[1] == {"num-py": ("2.0", [HASH]), "six": ("1.0", [HASH])}
    assert set(lock.read_lock(tmp_path / "cloud.txt")[1]) == {"tornado"}, "what lies below is not repeated"
    assert set(lock.read_lock(tmp_path / "torch.txt")[1]) == {"sympy", "timm"}, "torch has no lock"
    assert ["Num_py==2.0", "tornado==6", "av==1"] in lock.asked, "they must agree with what lies below"
    assert lock.problems(tmp_path, PINS) == []


def test_another_pin_a_missing_file_and_a_missing_hash_are_named(lock, tmp_path):
    write_all(lock, tmp_path, PINS)
    changed = PINS | {"cloud": ["tornado==7"]}
    found = lock.problems(tmp_path, changed)
    assert "cloud.txt lacks tornado==7" in found
    for part in ("cloud", "edge", "torch"):
        assert f"{part}.txt is of other pins than pyproject.toml's" in found, part
    assert not any(line.startswith("base.txt") for line in found)
    path = tmp_path / "base.txt"
    path.write_text(path.read_text().replace(f"six==1.0 --hash=sha256:{HASH}", "six==1.0"))
    assert "base.txt: six has no hash" in lock.problems(tmp_path, PINS)
    (tmp_path / "edge.txt").unlink()
    assert "edge.txt is missing" in lock.problems(tmp_path, PINS)


def test_a_dependency_cannot_have_two_versions_in_one_image(lock):
    with pytest.raises(lock.Refusal, match=r"six would be 0\.9 and 1\.0; pin it"):
        lock.make("cloud", PINS, {"six": ("0.9", [HASH])})


def test_an_index_without_hashes_is_refused(lock, monkeypatch):
    run = lock.subprocess.run

    def without(command, *, check):
        finished = run(command, check=check)
        report = Path(command[command.index("--report") + 1])
        report.write_text(report.read_text().replace("sha256", "md5"))
        return finished

    monkeypatch.setattr(lock.subprocess, "run", without)
    with pytest.raises(lock.Refusal, match="gives no SHA-256"):
        lock.make("base", PINS, {})


def test_a_pin_that_is_not_for_one_processor_is_asked_for_the_others_only(lock, tmp_path):
    marker = "; platform_machine != 'aarch64'"
    pins = PINS | {"base": ["numpy==2", f"constriction==1{marker}"]}
    write_all(lock, tmp_path, pins)
    text = (tmp_path / "base.txt").read_text()
    assert f"constriction==1{marker} --hash=sha256:{HASH}\n" in text, "pip reads the marker where it installs"
    assert lock.asked[:2] == [["numpy==2", "constriction==1"], ["numpy==2"]]
    assert lock.PROCESSORS == ("x86_64", "aarch64")
    assert lock.problems(tmp_path, pins) == []
    assert "base.txt lacks constriction==1" in lock.problems(
        tmp_path, pins | {"base": ["numpy==2", "constriction==1"]}
    )
