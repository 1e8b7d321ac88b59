"""Several addresses in one setting: what is taken, and what is said of the rest."""

from __future__ import annotations

import pytest
from kits.edge_main import refused

from edge.config import EdgeSettings
from edge.uplink.clouds.addresses import name_of, urls_of
from shared.errors import SettingsError
from shared.limits import MAX_CLOUDS
from shared.process.settings import KNOWN_NAMES, PREFIX, read_settings


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in KNOWN_NAMES:
        monkeypatch.delenv(PREFIX + name, raising=False)


def read(text):
    return read_settings(EdgeSettings, {"cloud_url": text})


def test_several_are_given_with_commas_or_by_repeating_the_flag_or_in_the_variable(monkeypatch):
    for text, urls in {
        "http://a:1": ("http://a:1",),
        "http://a:1,http://b": ("http://a:1", "http://b"),
        "https://a/, https://b/x/ ,https://c": ("https://a", "https://b/x", "https://c"),
        "http://127.0.0.1:1,https://localhost:2": ("http://127.0.0.1:1", "https://localhost:2"),
        ",".join(f"http://c{number}" for number in range(MAX_CLOUDS)): tuple(
            f"http://c{n}" for n in range(MAX_CLOUDS)
        ),
    }.items():
        assert read(text).cloud_urls == urls, text
    monkeypatch.setenv("SPLITDNN_CLOUD_URL", "http://a,http://b")
    assert read_settings(EdgeSettings, {}).cloud_urls == ("http://a", "http://b")


def test_a_repeated_flag_adds_an_address(edge):
    _, shown, _ = edge("--print-config", "--cloud-url", "http://a", "--cloud-url=http://b,http://c")
    assert "SPLITDNN_CLOUD_URL=http://a,http://b,http://c" in shown.splitlines()


def test_what_is_refused_is_named_and_nothing_secret_is_shown():
    for text, message in {
        "http://a,": "nothing, number 2 of 2, is not a URL such as http://cloud:8881",
        "http://me:secret@a,b:8881": "b:8881, number 2 of 2, is not a URL",
        "http://a,me:secret@b": "***@b, number 2 of 2, is not a URL",
        "http://a,http://b:99999": "http://b:99999, number 2 of 2, is not a URL",
        "http://a:80,http://A/": "http://a is given twice",
        "http://me:secret@a,http://you:secret@a": "http://a is given twice",
        "https://a,http://b": "http:// and https:// addresses together",
        "https://127.0.0.1,http://b": "http:// and https:// addresses together",
        "https://cloud,http://127.0.0.1": "http:// and https:// addresses together",
        ",".join(
            f"http://c{number}" for number in range(MAX_CLOUDS + 1)
        ): f"17 addresses; accepted: at most {MAX_CLOUDS}",
    }.items():
        with pytest.raises(SettingsError) as caught:
            read(text)
        assert f": {message}" in str(caught.value), text
        assert "secret" not in str(caught.value), text
        assert "\n" not in str(caught.value), text


def test_a_name_has_nothing_secret_and_is_the_same_for_all_spellings():
    for url, name in {
        "http://Cloud:8881": "http://cloud:8881",
        "https://cloud:443/": "https://cloud",
        "http://cloud:80/x/": "http://cloud/x",
        "https://me:secret@cloud:8881/?token=secret#secret": "https://cloud:8881",
        "http://[::1]:8881": "http://[::1]:8881",
    }.items():
        assert name_of(url) == name


def test_credentials_with_a_comma_are_no_address_of_their_own():
    with pytest.raises(ValueError, match="not a URL"):
        urls_of("http://me:sec,ret@cloud")
    assert urls_of("http://me:sec%2Cret@cloud") == ("http://me:sec%2Cret@cloud",)


def test_files_of_tls_need_an_https_cloud():
    for text, good in {"http://a,http://b": False, "https://a,https://b": True}.items():
        if good:
            assert read_settings(EdgeSettings, {"cloud_url": text, "ca": "file"}).ca == "file"
        else:
            with pytest.raises(SettingsError, match="needs an https:// address"):
                read_settings(EdgeSettings, {"cloud_url": text, "ca": "file"})


def test_the_edge_says_it_in_one_line(edge):
    assert refused(edge, "--cloud-url", "http://a,b").startswith(
        "--cloud-url=http://a,b: b, number 2 of 2, is not"
    )
