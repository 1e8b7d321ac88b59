"""Flags over variables over defaults; and that a mistake is named with the way out."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import Field, ValidationError

from shared.errors import SettingsError
from shared.process.settings import (
    KNOWN_NAMES,
    PREFIX,
    CommonSettings,
    make_parser,
    parse_flags,
    print_error,
    read_settings,
)

if TYPE_CHECKING:
    import argparse


class SomeSettings(CommonSettings):
    """The common settings with one of each further kind; the names are among the known ones."""

    cloud_url: str = Field("http://localhost:8881", description="where the cloud is")
    deadline_s: float = Field(1.5, gt=0, description="seconds; 100 % of them")
    show: bool = Field(False, description="open a window")
    frames: int | None = Field(None, ge=1, description="how many")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)


def parser() -> argparse.ArgumentParser:
    return make_parser("test", "A test's.", SomeSettings)


def read(*arguments: str) -> SomeSettings:
    """What `__main__` does."""
    given = parse_flags(parser(), arguments)
    del given["print_config"]
    return read_settings(SomeSettings, given)


def refusal(*arguments: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read(*arguments)
    return str(caught.value)


# --- what wins --------------------------------------------------------------------------------------------------------


def test_without_flags_or_variables_everything_is_its_default() -> None:
    defaults = {name: field.default for name, field in SomeSettings.model_fields.items()}
    assert read().model_dump() == defaults


@pytest.mark.parametrize(
    ("name", "flag", "variable", "from_flag", "from_variable"),
    [
        ("seed", "5", "3", 5, 3),
        ("deadline_s", "0.5", "2.5", 0.5, 2.5),
        ("cloud_url", "http://flag", "http://variable", "http://flag", "http://variable"),
        ("log_level", "debug", "error", "debug", "error"),
        ("frames", "7", "9", 7, 9),
        ("split_point", "layer1", "layer2", "layer1", "layer2"),
    ],
)
def test_a_flag_beats_a_variable_beats_the_default(
    name: str, flag: str, variable: str, from_flag: Any, from_variable: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    option = f"--{name.replace('_', '-')}"
    assert getattr(read(option, flag), name) == from_flag
    monkeypatch.setenv(PREFIX + name.upper(), variable)
    assert getattr(read(), name) == from_variable
    assert getattr(read(option, flag), name) == from_flag
    assert getattr(read(f"{option}={flag}"), name) == from_flag


def test_a_switch_needs_no_value_as_a_flag_and_has_one_as_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read().show is False
    assert read("--show").show is True
    monkeypatch.setenv("SPLITDNN_SHOW", "true")
    assert read().show is True


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLITDNN_SEED", "")
    monkeypatch.setenv("SPLITDNN_SPLIT_POINT", "")
    assert (read().seed, read().split_point) == (0, None)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        read().seed = 1


def test_a_setting_of_the_other_process_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLITDNN_QUEUE_CAPACITY", "8")
    assert read().seed == 0


def test_other_programs_variables_are_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEED", "8")
    monkeypatch.setenv("SPLIT_SEED", "8")
    assert read().seed == 0


# --- mistakes ---------------------------------------------------------------------------------------------------------


def test_an_unknown_variable_is_refused_with_the_nearest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLITDNN_SPLITPOINT", "layer3")
    assert refusal().startswith("unknown variable SPLITDNN_SPLITPOINT; did you mean SPLITDNN_SPLIT_POINT")


def test_a_variable_in_lower_case_is_a_typing_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("splitdnn_model", "resnet18")
    assert refusal().startswith("unknown variable splitdnn_model; did you mean")


def test_every_unknown_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLITDNN_MODELL", "x")
    monkeypatch.setenv("SPLITDNN_SEEED", "x")
    first, second = sorted(refusal().splitlines())
    assert "SPLITDNN_MODELL; did you mean SPLITDNN_MODEL" in first
    assert "SPLITDNN_SEEED; did you mean SPLITDNN_SEED" in second


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("seed", "-1", "greater than or equal to 0"),
        ("seed", "many", "valid integer"),
        ("threads", "1025", "less than or equal to 1024"),
        ("deadline_s", "0", "greater than 0"),
        ("log_level", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("frames", "0", "greater than or equal to 1"),
    ],
)
def test_a_bad_value_is_refused_with_key_value_and_what_is_expected(
    name: str, value: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    description = SomeSettings.model_fields[name].description
    option = f"--{name.replace('_', '-')}"
    by_flag = refusal(option, value)
    assert by_flag.startswith(f"{option}={value}: ")
    assert expected in by_flag
    assert by_flag.endswith(f"({description})")
    monkeypatch.setenv(PREFIX + name.upper(), value)
    assert refusal() == by_flag.replace(option, PREFIX + name.upper())


def test_every_bad_value_has_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLITDNN_SEED", "x")
    lines = refusal("--threads", "y").splitlines()
    assert sorted(line.split(":")[0] for line in lines) == ["--threads=y", "SPLITDNN_SEED=x"]


def test_a_bad_value_is_masked() -> None:
    assert refusal("--seed", "rtsp://admin:s3cr3t@camera").startswith("--seed=rtsp://***@camera: ")


@pytest.mark.parametrize(
    ("argument", "nearest"),
    [("--splitpoint", "--split-point"), ("--sed=3", "--seed"), ("--clud-url", "--cloud-url")],
)
def test_an_unknown_flag_is_refused_with_the_nearest_one(argument: str, nearest: str) -> None:
    message = refusal(argument)
    assert message.startswith(f"unknown argument {argument}; did you mean ")
    assert nearest in message


def test_an_argument_that_is_no_flag_is_refused() -> None:
    assert refusal("camera.mp4").startswith("unexpected argument camera.mp4; every setting has its flag")


def test_a_start_up_error_is_one_masked_line_a_problem_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(SettingsError("first rtsp://a:b@c/\nsecond"))
    output = capsys.readouterr()
    assert output.err == "splitdnn: first rtsp://***@c/\nsplitdnn: second\n"
    assert output.out == ""


def test_each_line_of_an_error_is_written_in_one_piece(monkeypatch):
    """A log line of another thread may come between two pieces, and would stand in the error's line."""
    written = []
    monkeypatch.setattr("sys.stderr", SimpleNamespace(write=written.append))
    print_error(SettingsError("first\nsecond"))
    assert written == ["splitdnn: first\n", "splitdnn: second\n"]


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_printable_has_every_setting_and_can_be_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read("--seed", "5", "--show", "--model", "vgg16")
    lines = dict(line.split("=", 1) for line in settings.printable().splitlines())
    assert list(lines) == [PREFIX + name.upper() for name in SomeSettings.model_fields]
    for name, value in lines.items():
        monkeypatch.setenv(name, value)
    assert read() == settings


def test_printable_masks_credentials() -> None:
    shown = read("--cloud-url", "https://me:s3cr3t@cloud:8881").printable()
    assert "SPLITDNN_CLOUD_URL=https://***@cloud:8881" in shown
    assert "s3cr3t" not in shown


def test_help_explains_every_flag_with_its_default() -> None:
    text = " ".join(parser().format_help().split())
    for name, field in SomeSettings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in text
        assert " ".join(str(field.description).split()[:3]) in text
        if field.default is not None:
            assert f"(default: {field.default})" in text


def test_every_common_setting_is_described_and_known() -> None:
    assert {name.upper() for name in CommonSettings.model_fields} <= KNOWN_NAMES
    assert all(field.description for field in CommonSettings.model_fields.values())
