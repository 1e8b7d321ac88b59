"""What is open to everybody."""

from __future__ import annotations

import pytest

from shared.errors import SettingsError
from shared.security.exposure import in_clear, is_loopback, open_rights, shown_in_clear
from shared.security.rights import GROUPS, NOTHING, Right

FLAGS = ("--address", "--token-file", "--anonymous")
BEYOND = (
    "0.0.0.0",
    "::",
    "",
    "10.0.0.2",
    "cloud",
    "127.0.0.1.example",
    "2001:db8::1",
    "::ffff:10.0.0.2",
    "localhost.example",
)
HERE = ("127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost", "::ffff:127.0.0.1")


def opened(address="127.0.0.1", tokens=None, anonymous=None, **options):
    return open_rights(address, tokens, anonymous, flags=FLAGS, **options)


def test_what_only_this_machine_reaches():
    for address in HERE:
        assert is_loopback(address), address
        assert opened(address) == GROUPS["all"], address
    for address in BEYOND:
        assert not is_loopback(address), address


def test_other_machines_come_in_by_tokens_or_by_a_word():
    for address in BEYOND:
        with pytest.raises(SettingsError) as caught:
            opened(address)
        for said in ("--address", "--token-file", "--anonymous all", "splitdnn token new"):
            assert said in str(caught.value), (address, said)
        assert opened(address, "tokens") == NOTHING
        assert opened(address, anonymous="all") == GROUPS["all"]
        assert opened(address, anonymous="nothing") == NOTHING
        assert opened(address, certificates=True) == GROUPS["all"]
        assert opened(address, "tokens", certificates=True) == NOTHING


def test_a_file_of_tokens_closes_everything_that_is_not_named():
    assert opened(tokens="tokens") == NOTHING
    assert opened(tokens="tokens", anonymous="metrics,page") == {Right.METRICS, Right.PAGE}
    assert opened(anonymous="metrics") == {Right.METRICS}


def test_a_word_that_is_no_right():
    for text in ("yes", "", "true", "al", "frames,nothing"):
        with pytest.raises(SettingsError, match=r"^--anonymous "):
            opened(anonymous=text)


def test_what_a_token_crosses_unencrypted():
    for url in ("http://cloud:8881", "http://10.0.0.2", "http://[2001:db8::1]:1/"):
        assert in_clear(url), url
    for url in ("https://cloud:8881", "http://127.0.0.1:8881", "http://localhost", "http://[::1]:8881"):
        assert not in_clear(url), url


def test_which_ports_are_shown_tokens_unencrypted():
    for address in BEYOND:
        assert shown_in_clear(address, tokens="tokens", certificate=None), address
        assert not shown_in_clear(address, tokens="tokens", certificate="tls.crt"), address
        assert not shown_in_clear(address, tokens=None, certificate=None), address
    for address in HERE:
        assert not shown_in_clear(address, tokens="tokens", certificate=None), address
