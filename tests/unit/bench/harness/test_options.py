"""The command line of `python -m bench`."""

import sys
from types import ModuleType

import pytest

from bench import __main__
from bench.load.command import LoadOptions
from bench.speed import command as speed
from bench.speed.options import SECTIONS, SpeedOptions


def test_everything_in_full_is_the_default():
    options = SpeedOptions.read([])
    assert tuple(speed.SECTIONS) == SECTIONS
    assert options.only == SECTIONS[:-1], "the last one needs another checkout"
    assert (options.rounds, options.frames, options.frames_growth) == (3, 80, 2000)
    assert (options.setup.engine, options.setup.precision, options.setup.threads) == (None, None, None)


def test_quick_is_less_of_everything():
    full, quick = SpeedOptions.read([]), SpeedOptions.read(["--quick"])
    assert quick.only == full.only
    less = ("rounds", "frames", "engine_calls", "pictures", "load_s", "starts", "frames_growth")
    for name in less:
        assert getattr(quick, name) < getattr(full, name), name
    for name in ("split_points", "clients", "loads", "batch_limits"):
        assert set(getattr(quick, name)) < set(getattr(full, name)), name


def test_what_is_given_beats_quick():
    given = ["--quick", "--rounds", "2", "--frames", "7", "--frames-growth", "10000"]
    options, quick = SpeedOptions.read(given), SpeedOptions.read(["--quick"])
    assert (options.rounds, options.frames, options.frames_growth) == (2, 7, 10000)
    assert options.load_s == quick.load_s


def test_sections_come_in_their_own_order():
    assert SpeedOptions.read(["--only", "stages, split"]).only == ("split", "stages")


@pytest.mark.parametrize(
    "arguments", [["--only", "splitt"], ["--only", ""], ["--rounds", "0"], ["--frames", "x"], ["--fast"]]
)
def test_what_cannot_be_read_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        SpeedOptions.read(arguments)
    assert ended.value.code == 2
    assert "usage: python -m bench speed" in capsys.readouterr().err


def test_help_has_every_flag_with_its_default(capsys):
    with pytest.raises(SystemExit):
        SpeedOptions.read(["--help"])
    said = capsys.readouterr().out
    for flag in ("--quick", "--only", "--rounds", "--frames-growth", "--engine", "--results"):
        assert flag in said
    assert "per split point and round (default: 80)" in " ".join(said.split())
    assert "--load-s" not in said


def test_engine_and_precision_are_handed_on():
    setup = SpeedOptions.read(
        ["--engine", "openvino", "--precision", "bfloat16", "--threads", "1", "--weights", "random"]
    ).setup
    assert setup.flags() == ["--weights=random", "--engine=openvino", "--precision=bfloat16", "--threads=1"]


def test_nothing_is_handed_on_that_was_not_given():
    assert SpeedOptions.read(["--weights", "random"]).setup.flags() == ["--weights=random"]


@pytest.mark.parametrize(
    ("arguments", "command", "rest"),
    [
        ([], "speed", []),
        (["--quick"], "speed", ["--quick"]),
        (["speed", "--only", "split"], "speed", ["--only", "split"]),
        (["load", "--clients", "4"], "load", ["--clients", "4"]),
        (["rate", "--quick"], "rate", ["--quick"]),
        (["soak", "--quick"], "soak", ["--quick"]),
    ],
)
def test_the_first_word_is_the_command(arguments, command, rest, monkeypatch):
    called, limited = [], []
    monkeypatch.setattr(__main__, "limit_threads", limited.append)
    for name in ("speed", "load", "rate", "soak"):
        module = ModuleType(f"bench.{name}.command")
        module.main = lambda given, name=name: called.append((name, list(given))) or 0
        monkeypatch.setitem(sys.modules, module.__name__, module)
    assert __main__.main(arguments) == 0
    assert called == [(command, rest)]
    assert limited == ([1] if command == "rate" else []), "before numpy is imported"


def test_an_unknown_command_is_refused(capsys):
    assert __main__.main(["sped"]) == 2
    assert (
        "there are: speed, start, scale, mixed, autoscale, cameras, tracks, load, flood, page, rate, link, doors, peers, attack, soak, events, fleet"
        in capsys.readouterr().err
    )


def test_help_names_every_command(capsys):
    assert __main__.main(["--help"]) == 0
    assert {"speed", "start", "load", "rate", "link", "soak"} <= {
        line.split()[0] for line in capsys.readouterr().out.splitlines() if line
    }


def test_the_generator_stays_on_this_machine_by_default():
    given = LoadOptions.read([])
    assert given.url.hostname == "127.0.0.1"
    assert not given.closed


@pytest.mark.parametrize(
    "arguments",
    [
        ["--clients", "0"],
        ["--clients", "4096", "--connections", "64"],
        ["--seconds", "1e9"],
        ["--url", "ftp://x"],
        ["--url", "x"],
        ["--rate", "0"],
    ],
)
def test_the_generator_is_bounded(arguments, capsys):
    with pytest.raises(SystemExit):
        LoadOptions.read(arguments)
    assert "usage" in capsys.readouterr().err
