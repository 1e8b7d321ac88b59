"""What is said of wheels for another kind of processor is what the index has: one that lacks, is no wheel or is another file is named."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
HASH, OTHER = "ab" * 32, "cd" * 32
URL = "https://files/x/{}"


@pytest.fixture
def wheels(monkeypatch):
    """The script with an index that has `files`, by name; asked for one that it lacks it has no answer at all, as pip."""
    spec = importlib.util.spec_from_file_location("wheels", ROOT / "scripts" / "wheels.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "wheels", module)  # its dataclass looks itself up
    spec.loader.exec_module(module)
    module.files, module.asked = {}, []

    def ask(pins, processor, *options):
        module.asked.append((pins, processor, options))
        names = [pin.partition("==")[0] for pin in pins]
        if not set(names) <= module.files.keys():
            raise module.lock.Refusal("no files")
        return [
            {
                "metadata": {"name": name},
                "download_info": {
                    "url": URL.format(module.files[name][0]),
                    "archive_info": {"hashes": {"sha256": module.files[name][1]}},
                },
            }
            for name in names
        ]

    monkeypatch.setattr(module.lock, "ask", ask)
    return module


PINS = [
    ("one==1", [OTHER, HASH]),
    ("two==2", [HASH]),
    ("three==3; platform_machine != 'aarch64'", [HASH]),
]
FILES = {
    "one": ("one-1-cp311-cp311-manylinux_2_17_aarch64.manylinux2014_aarch64.whl", HASH),
    "two": ("two-2-py3-none-any.whl", HASH),
}


def test_what_is_built_for_the_processor_what_is_for_all_and_what_is_left_out_are_counted(wheels):
    wheels.files = dict(FILES)
    found = wheels.look("base", PINS, "aarch64")
    assert wheels.report(found, "aarch64") == (
        "base: 3 pins, 1 for every machine, 1 built for aarch64, 1 left out there (three), 0 lacking"
    )
    assert wheels.asked == [(["one==1", "two==2"], "aarch64", ("--no-deps",))]


def test_what_lacks_is_found_among_those_that_do_not(wheels):
    wheels.files = {"one": FILES["one"]}
    found = wheels.look("base", PINS, "aarch64")
    assert [(each.pin, each.problem) for each in found if each.problem] == [("two==2", "no wheel")]
    assert "1 built for aarch64" in wheels.report(found, "aarch64")
    assert wheels.report(found, "aarch64").endswith("1 lacking\n  two==2: no wheel")


def test_a_file_that_is_no_wheel_or_not_of_the_lock_is_a_problem(wheels):
    cases = {("two-2.tar.gz", HASH): "no wheel", ("two-2-py3-none-any.whl", OTHER): "not a file of the lock"}
    for file, said in cases.items():
        wheels.files = FILES | {"two": file}
        found = wheels.look("base", PINS, "aarch64")
        assert [said in each.problem for each in found if each.problem] == [True], file


def test_torch_is_looked_for_on_the_index_of_cpu_builds_and_on_the_usual_one_where_that_does_not_answer(
    wheels, monkeypatch
):
    wheels.files = {
        name: (f"{name}-2-cp311-cp311-manylinux_2_28_aarch64.whl", HASH) for name in ("torch", "torchvision")
    }
    for answers, options in ((True, ("--no-deps", "--index-url", "https://i")), (False, ("--no-deps",))):
        monkeypatch.setattr(wheels.install_torch, "index_answers", lambda _, answers=answers: answers)
        found = wheels.look_for_torch("aarch64", "https://i")
        assert wheels.asked[-1][2] == options
        assert [each.problem for each in found] == ["", ""]
        assert ("does not answer" in found[0].part) != answers


def test_the_exit_status_says_whether_something_lacks(wheels, monkeypatch, capsys):
    monkeypatch.setattr(wheels, "pins_of", lambda path: PINS if path.name == "base.txt" else [])
    monkeypatch.setattr(wheels, "look_for_torch", lambda *_: [])
    wheels.files = dict(FILES)
    assert wheels.main([]) == 0
    wheels.files.pop("two")
    assert wheels.main([]) == 1
    assert "two==2: no wheel" in capsys.readouterr().out


def test_the_locks_are_read_with_their_markers(wheels):
    pins = dict(wheels.pins_of(ROOT / "locks" / "base.txt"))
    (constriction,) = [pin for pin in pins if pin.startswith("constriction")]
    assert not wheels.lock.is_for(constriction, "aarch64")
    assert all(pins.values())
