"""The command line of `python -m bench`."""

import pytest

from bench import __main__
from bench.harness.options import QUICK, SECTIONS, Effort, read_options
from bench.load.command import _parse
from bench.speed import command as speed


def test_everything_in_full_is_the_default():
    options = read_options([])
    assert options.effort == Effort()
    assert options.sections == SECTIONS == tuple(speed.SECTIONS)
    assert (options.setup.engine, options.setup.precision, options.setup.threads) == (None, None, None)


def test_quick_is_less_of_everything():
    options = read_options(["--quick"])
    assert options.effort == QUICK
    assert options.sections == SECTIONS
    full = Effort()
    for name in (
        "rounds",
        "frames",
        "engine_calls",
        "pictures",
        "json_s",
        "load_s",
        "starts",
        "growth_frames",
    ):
        assert getattr(QUICK, name) < getattr(full, name), name
    for name in ("split_points", "json_points", "clients", "loads", "batch_limits"):
        assert set(getattr(QUICK, name)) < set(getattr(full, name)), name


def test_what_is_given_beats_quick():
    effort = read_options(["--quick", "--rounds", "2", "--frames", "7", "--frames-growth", "10000"]).effort
    assert (effort.rounds, effort.frames, effort.growth_frames) == (2, 7, 10000)
    assert effort.load_s == QUICK.load_s


def test_sections_come_in_their_own_order():
    assert read_options(["--only", "json, split"]).sections == ("split", "json")


@pytest.mark.parametrize(
    "arguments", [["--only", "splitt"], ["--only", ""], ["--rounds", "0"], ["--frames", "x"], ["--fast"]]
)
def test_what_cannot_be_read_is_told(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        read_options(arguments)
    assert ended.value.code == 2
    assert "usage: python -m bench speed" in capsys.readouterr().err


def test_engine_and_precision_are_handed_on():
    setup = read_options(
        ["--engine", "openvino", "--precision", "bfloat16", "--threads", "1", "--weights", "random"]
    ).setup
    assert setup.flags() == [
        *("--weights", "random"), *("--engine", "openvino"), *("--precision", "bfloat16"), *("--threads", "1"),
    ]  # fmt: skip


def test_nothing_is_handed_on_that_was_not_given():
    assert read_options(["--weights", "random"]).setup.flags() == ["--weights", "random"]


@pytest.mark.parametrize(
    ("arguments", "command", "rest"),
    [
        ([], "speed", []),
        (["--quick"], "speed", ["--quick"]),
        (["speed", "--only", "split"], "speed", ["--only", "split"]),
        (["load", "--clients", "4"], "load", ["--clients", "4"]),
        (["rate", "--quick"], "rate", ["--quick"]),
    ],
)
def test_the_first_word_is_the_command(arguments, command, rest, monkeypatch):
    called = []
    for name in ("speed", "load_command", "rate"):
        monkeypatch.setattr(
            f"bench.{name}.main", lambda given, name=name: called.append((name, list(given))) or 0
        )
    assert __main__.main(arguments) == 0
    assert called == [("load_command" if command == "load" else command, rest)]


def test_an_unknown_command_is_told(capsys):
    assert __main__.main(["sped"]) == 2
    assert "there are: speed, load, rate" in capsys.readouterr().err


def test_help_names_every_command(capsys):
    assert __main__.main(["--help"]) == 0
    assert {"speed", "load", "rate"} <= {
        line.split()[0] for line in capsys.readouterr().out.splitlines() if line
    }


def test_the_generator_stays_on_this_machine_unless_told():
    given = _parse([])
    assert given.url.hostname == "127.0.0.1"
    assert not given.closed


@pytest.mark.parametrize(
    "arguments",
    [
        ["--clients", "0"],
        ["--clients", "4096", "--connections", "64"],
        ["--seconds", "1e9"],
        ["--url", "https://x"],
        ["--url", "x"],
        ["--rate", "0"],
    ],
)
def test_the_generator_is_bounded(arguments, capsys):
    with pytest.raises(SystemExit):
        _parse(arguments)
    assert "usage" in capsys.readouterr().err
