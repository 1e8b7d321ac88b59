"""The edge's settings: what is taken, and what is said of the rest."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from edge.config import CalibrationSettings, EdgeSettings
from shared.errors import SettingsError
from shared.process.settings import KNOWN_NAMES, PREFIX, print_error, read_settings


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in KNOWN_NAMES:
        monkeypatch.delenv(PREFIX + name, raising=False)


def read(**given):
    return read_settings(EdgeSettings, given)


def test_the_defaults_need_no_file_camera_or_network():
    settings = read()
    assert settings.source == "synthetic"
    assert settings.cloud_url == "http://127.0.0.1:8881"
    assert settings.status_address == "127.0.0.1", "nobody else sees the metrics unasked"
    assert settings.at_end == "exit"


def test_every_setting_says_what_it_is():
    for kind in (EdgeSettings, CalibrationSettings):
        for name, field in kind.model_fields.items():
            assert field.description, f"{kind.__name__}.{name}"


def test_what_running_and_calibrating_have_in_common_is_the_same():
    common = set(EdgeSettings.model_fields) & set(CalibrationSettings.model_fields)
    assert {"source", "grayscale", "open_timeout_s", "read_timeout_s"} <= common
    differ = {
        name
        for name in common
        if repr(EdgeSettings.model_fields[name]) != repr(CalibrationSettings.model_fields[name])
    }
    # What calibrating writes a run reads; and a run cuts the network where the planner likes.
    assert differ == {"profile", "frames", "split_point"}


def test_urls_that_are_taken():
    for url in (
        "http://cloud:8881", "https://cloud", "http://user:secret@cloud:8881", "http://[::1]:8881", "http://c/path",
    ):  # fmt: skip
        assert read(cloud_url=url).cloud_url == url
        assert read(cloud_url=f"{url}/").cloud_url == url, "one slash less, as paths are appended"


def test_urls_that_are_not():
    for url in (
        "", "cloud", "cloud:8881", "127.0.0.1:8881", "ftp://cloud", "http://", "http://:8881", "http://[::1",
        "http://cloud:99999", "http://cloud:0", "http://cloud:port", "/model",
    ):  # fmt: skip
        with pytest.raises(SettingsError) as caught:
            read(cloud_url=url)
        assert str(caught.value).startswith(f"--cloud-url={url}: ")
        assert "\n" not in str(caught.value), url


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("top", 1, 1000),
        ("queue_size", 1, 1024),
        ("in_flight", 1, 256),
        ("status_port", 0, 65535),
        ("threshold", 0, 1),
        ("deadline_s", 1e-6, 600),
        ("open_timeout_s", 1e-6, 600),
        ("read_timeout_s", 1e-6, 600),
    ],
)
def test_ranges(name, lowest, highest):
    for good in (lowest, highest):
        assert getattr(read(**{name: str(good)}), name) == good
    for bad in (-1, lowest - 1, highest + 1, "nan", "inf", "many"):
        with pytest.raises(SettingsError, match=f"--{name.replace('_', '-')}="):
            read(**{name: str(bad)})


@pytest.mark.parametrize(
    ("name", "value"), [("show", "loud"), ("at_end", "restart"), ("grayscale", "perhaps")]
)
def test_choices(name, value):
    with pytest.raises(SettingsError, match=value):
        read(**{name: value})


def test_the_threshold_of_stillness_is_a_share():
    assert read().still_threshold == 0, "every frame is sent unasked"
    for good in (0, 0.1, 1):
        assert read(still_threshold=str(good)).still_threshold == good
    for bad in (-0.01, 1.01, "nan", "inf", "much"):
        with pytest.raises(SettingsError, match="--still-threshold="):
            read(still_threshold=str(bad))


def test_a_threshold_that_is_not_set_is_the_bundles(monkeypatch):
    assert read().threshold is None
    monkeypatch.setenv("SPLITDNN_THRESHOLD", "")  # as compose.yaml hands on what is not set
    assert read().threshold is None
    monkeypatch.setenv("SPLITDNN_THRESHOLD", "0")
    assert read().threshold == 0


def test_a_variable_is_named_as_one(monkeypatch):
    monkeypatch.setenv("SPLITDNN_TOP", "0")
    with pytest.raises(SettingsError, match=r"^SPLITDNN_TOP=0: .* 1 "):
        read()
    assert read(top="3").top == 3, "a flag beats it"


def test_every_name_is_known_to_both_sides():
    assert {name.upper() for name in EdgeSettings.model_fields} <= KNOWN_NAMES


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        read().top = 3


def test_what_is_for_tls_is_refused_without_it():
    for given, wanted in {
        "ca": "--ca=file: needs an https:// address as --cloud-url",
        "client_certificate": "--client-certificate=file: needs an https:// address as --cloud-url",
        "client_key": "--client-key=file: needs --client-certificate too",
        "status_key": "--status-key=file: needs --status-certificate too",
    }.items():
        with pytest.raises(SettingsError) as caught:
            read(**{given: "file"})
        assert str(caught.value).startswith(wanted), given
        assert "\n" not in str(caught.value), given
    for key in ({}, {"client_key": "file"}):
        assert read(cloud_url="https://cloud", ca="file", client_certificate="file", **key).ca == "file"
    assert read(status_certificate="file", status_key="file").status_key == "file"


def test_a_proxy_is_one_that_can_be_asked_and_its_password_is_shown_nowhere(capsys):
    for url in (
        "http://proxy:3128", "https://proxy", "http://us%20er:p%40ss%3A@proxy:3128/", "http://u@p", "http://u:a:b@[::1]:1", "HTTP://A.b:80",
    ):  # fmt: skip
        assert read(proxy=url).proxy == url
    for url in (
        "proxy:3128", "socks5://p:1", "http://", "http://u:secret/x@p:1", "http://u:secret@x@p:1", "http://p:0", "http://p:99999",
        "http://p:1/path", "http://p:1?x", "http://p a:1", "http://u:secret\n@p", "http://ü:1", "http://u%3Ax:secret@p:1",
        "http://u:secret#x@p", "http://u:%secret@p", "u:secret@p:3128", "http://p:1\n",
    ):  # fmt: skip
        with pytest.raises(SettingsError, match="not the URL of an HTTP proxy") as caught:
            read(proxy=url)
        assert "secret" not in str(caught.value), url
        print_error(caught.value)
    assert "secret" not in read(proxy="http://u:secret@proxy:3128").printable()
    assert "secret" not in capsys.readouterr().err
