"""Under `auto` the edge runs what the cloud runs."""

from __future__ import annotations

import logging
import socket
import urllib.request

import pytest
from kits.http import http_server

from edge.network.agreed_weights import agreed_weights

ALONE = ("auto", 5)


def agree(url, model="resnet18", weights="auto"):
    return agreed_weights(url, model, weights, 5)


def agree_with(body, status=200, headers=()):
    with http_server(status, body, headers) as (url, paths):
        result = agree(url)
        assert paths == ["/model"]
    return result


def test_pretrained_weights_are_taken_over(caplog):
    assert agree_with({"model": "resnet18", "weights": "IMAGENET1K_V1"}) == ("IMAGENET1K_V1", 5)
    assert not caplog.records


def test_random_weights_are_taken_over_and_said(caplog):
    assert agree_with({"model": "resnet18", "weights": "random:42"}) == ("random", 42)
    (line,) = caplog.records
    assert line.levelno == logging.WARNING
    assert "random:42" in line.getMessage()


@pytest.mark.parametrize("weights", ["random", "DEFAULT", "/tmp/mine.pth"])
def test_a_choice_of_ones_own_asks_nobody(weights):
    with http_server(200, {"model": "resnet18", "weights": "IMAGENET1K_V1"}) as (url, paths):
        assert agree(url, weights=weights) == (weights, 5)
        assert paths == []


NO_AGREEMENT = [
    {"model": "resnet50", "weights": "IMAGENET1K_V1"},
    {"model": "resnet18", "weights": "file:mine.pth"},
    {"model": "resnet18", "weights": "imagenet1k_v1"},
    {"model": "resnet18", "weights": "IMAGENET1K_V1:extra"},
    {"model": "resnet18", "weights": "../IMAGENET1K_V1"},
    {"model": "resnet18", "weights": "/IMAGENET1K_V1"},
    {"model": "resnet18", "weights": "IMAGENET1K_V1.pth"},
    {"model": "resnet18", "weights": "IMAGENET1K_V1\n"},
    {"model": "resnet18", "weights": "DEFAULT"},
    {"model": "resnet18", "weights": ""},
    {"model": "resnet18", "weights": "/etc/passwd"},
    {"model": "resnet18", "weights": "auto"},
    {"model": "resnet18", "weights": "random:"},
    {"model": "resnet18", "weights": "random:x"},
    {"model": "resnet18", "weights": "random:-1"},
    {"model": "resnet18", "weights": f"random:{2**63}"},
    {"model": "resnet18", "weights": None},
    {"model": "resnet18"},
    {},
    [],
    b"",
    b"<html>",
    b"\xff",
    b"[" * 100_000,
    b" " * (2 << 20),
]


def test_without_an_agreement_it_decides_alone():
    """Whatever the cloud says: it is no path to read on this machine, and no reason to fall over."""
    for body in NO_AGREEMENT:
        assert agree_with(body) == ALONE, repr(body)[:50]


@pytest.mark.parametrize("status", [404, 500, 503])
def test_a_cloud_that_is_not_ready_is_not_waited_for(status):
    assert agree_with({"model": "resnet18", "weights": "IMAGENET1K_V1"}, status) == ALONE


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_is_not_followed(status):
    """Nor is whoever it names asked what weights to load."""
    said = {"model": "resnet18", "weights": "IMAGENET1K_V1"}
    with http_server(200, said) as (other, paths):
        assert agree_with(said, status, [("Location", f"{other}/model")]) == ALONE
        assert paths == []


def test_what_is_said_in_the_log_is_the_number_that_was_understood(caplog):
    assert agree_with({"model": "resnet18", "weights": "random: 42\n\u0667"}) == ALONE
    assert agree_with({"model": "resnet18", "weights": "random: 42\n"}) == ("random", 42)
    (line,) = caplog.records
    assert "(random:42)" in line.getMessage()


def test_nobody_listens():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        assert agree(f"http://127.0.0.1:{sock.getsockname()[1]}") == ALONE


def test_a_name_that_is_a_file_here_is_no_name(tmp_path, monkeypatch):
    """It would be read instead of what torchvision has under it."""
    monkeypatch.chdir(tmp_path)
    said = {"model": "resnet18", "weights": "IMAGENET1K_V1"}
    assert agree_with(said) == ("IMAGENET1K_V1", 5)
    (tmp_path / "IMAGENET1K_V1").touch()
    assert agree_with(said) == ALONE


def test_names_are_known_by_their_form():
    """The edge has no torchvision to look them up in; whoever loads them says whether there are such weights."""
    for name in (
        "IMAGENET1K_V2",
        "IMAGENET1K_SWAG_E2E_V1",
        "COCO_WITH_VOC_LABELS_V1",
        "IMAGENET1K_FBGEMM_V1",
    ):
        assert agree_with({"model": "resnet18", "weights": name}) == (name, 5)


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY"])
def test_the_way_is_that_of_the_frames(monkeypatch, name):
    """They go by no proxy, so asking one would be asking somebody else."""
    monkeypatch.setattr(urllib.request, "_opener", None)  # made once, with the proxies of that moment
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert agree_with({"model": "resnet18", "weights": "IMAGENET1K_V1"}) == ("IMAGENET1K_V1", 5)
