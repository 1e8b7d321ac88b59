"""What the edge's settings name and is not there: one line and exit status 2."""

from __future__ import annotations

import gc
import re
import socket

import pytest
from kits.edge_main import NOWHERE, SHORT, SMALL, refused
from kits.http import http_server


@pytest.fixture
def things(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("no video" * 100)
    (tmp_path / "three.txt").write_text("a\nb\nc\n")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "{}/nothing.mp4"], ".*/nothing.mp4: No such file or directory; a source is "),
        (["--source", "{}/empty"], ".*/empty: no pictures and no videos"),
        (["--source", "{}/text.mp4"], ".*/text.mp4: not a video"),
        (["--source", "rtps://127.0.0.1/x"], "rtps://127.0.0.1/x: rtps:// is no source; did you mean rtsps"),
        (["--source", "synthetic:fbs=3"], "synthetic has no option fbs; accepted: fps"),
        (["--model", "{}/empty"], "model .*/empty: this folder has no bundle.json; accepted: a folder that `splitdnn bundle` wrote"),
        (["--recipe", "fit=stretch"], "recipe fit=stretch: the bundle .* has its own; make it again with `splitdnn bundle SOURCE"),
        (["--model", "cloud", "--recipe", "fit=stretch"], "--recipe fit=stretch: with --model cloud the network is the cloud's as it"),
        (["--model", "cloud", "--weights", "random"], "--weights random: with --model cloud the network is the cloud's as it is"),
        (["--labels", "{}/nothing.txt"], "labels .*/nothing.txt: "),
        (["--labels", "{}/three.txt"], "labels .*/three.txt: it has 3 names, and the network has 5"),
        (["--device", "quantum"], "device 'quantum': tiny was made from .*; accepted: --device cpu"),
        (["--split-point", "pools"], "unknown split point 'pools'; did you mean pool"),
        (["--codec", "int9"], "unknown codec 'int9'; did you mean int8"),
        (["--codec", "int8+zstd:level=99"], "level=99: out of range; accepted: 1 to 19"),
        (["--codec", "jpeg"], "codec jpeg carries pictures, and at .* choose --codec"),
        (["--results", "{}/missing/out.jsonl"], "results .*/missing/out.jsonl: No such file or directory; give --results"),
        (["--status-address", "192.0.2.1", "--status-anonymous", "all"], "cannot listen on 192.0.2.1:0 for /metrics: "),
        (["--status-address", "192.0.2.1"], "--status-address 192.0.2.1 is reached from other machines"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # Tornado's, where it could not bind
def test_what_is_not_there(edge, things, arguments, message):
    arguments = [each.format(things) for each in arguments]
    assert re.match(message, refused(edge, *SMALL, *NOWHERE, *SHORT, "--open-timeout-s", "1", *arguments))
    gc.collect()


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_the_status_port_is_taken(edge):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message = refused(edge, *SMALL, *NOWHERE, *SHORT, "--status-port", port)
    assert message.startswith(f"cannot listen on 127.0.0.1:{port} for /metrics: ")
    gc.collect()


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (404, b"nginx", "http://127.0.0.1:.* answers, but not as a SplitDNN cloud"),
        (
            200,
            {"model": "resnet50", "weights": "DEFAULT", "fingerprint": "00"},
            "the cloud at http://127.0.0.1:.* runs resnet50 with weights DEFAULT .* this edge tiny with weights random:5",
        ),
    ],
)  # fmt: skip
def test_the_cloud_is_another_one(edge, status, body, message):
    with http_server(status, body) as (url, _):
        assert re.match(message, refused(edge, *SMALL, *SHORT, "--cloud-url", url))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "the cloud at http://127.0.0.1:.* is older than bundles and cannot give its network to this edge; update it, or give the"),
        ({"bundle": {"served": False, "bytes": 1}}, "the cloud at .* gives its network to nobody; start it with --serve-bundle, or"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("more", [[], ["--list-split-points"]])
def test_a_cloud_that_gives_its_network_to_nobody(edge, said, message, more):
    with http_server(200, {"model": "resnet50", "weights": "DEFAULT", "fingerprint": "00" * 8} | said) as (
        url,
        _,
    ):
        given = ["--model", "cloud", "--cloud-url", url, "--cache-dir", ""]
        assert re.match(message, refused(edge, *SMALL, *SHORT, *given, *more))


def test_split_points_of_a_cloud_that_is_away(edge):
    """Nobody waits for a table as long as for a start."""
    given = ["--model", "cloud", *NOWHERE, "--deadline-s", "0.2", "--list-split-points"]
    message = refused(edge, *given)
    assert message.startswith("no cloud at http://127.0.0.1:1 within 0.2 s (")
    assert "waiting up to" not in "".join(edge.log)


def test_a_profile_is_not_calibrated_for_a_network_that_is_not_here(edge):
    assert refused(edge, "calibrate", "--model", "cloud").startswith(
        "--model cloud: a profile is calibrated without a cloud; give"
    )


def test_a_source_that_breaks_down_on_the_way(edge, tmp_path):
    """Found out while it runs, so what came of the run is said as well."""
    (tmp_path / "a.png").write_text("no picture")
    status, out, errors = edge(*SMALL, *NOWHERE, "--source", tmp_path)
    assert status == 2
    assert len(errors) == 1
    assert errors[0].startswith(
        f"splitdnn: {tmp_path}: none of its 1 pictures can be read; the last one: no picture of a format"
    )
    assert "frames in           0" in out
